using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace WmfCi.Fakes.Kubernetes.Nodes;

/// <summary>A container that runs: processes in namespaces of their own, made by <c>bwrap</c>.</summary>
internal sealed partial class ContainerProcess : IDisposable
{
    private const int Terminate = 15, Kill = 9;
    private readonly Process _process;
    private readonly Task _output, _errors;

    private ContainerProcess(Process process, ContainerLog log)
    {
        _process = process;
        Log = log;
        _output = PumpAsync(process.StandardOutput.BaseStream);
        _errors = PumpAsync(process.StandardError.BaseStream);
    }

    public ContainerLog Log { get; }

    public static ContainerProcess Start(IEnumerable<string> arguments, ContainerLog log)
    {
        var start = new ProcessStartInfo("bwrap", arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        var process = Process.Start(start) ?? throw new InvalidOperationException("bwrap was not started.");
        process.StandardInput.Close();
        return new ContainerProcess(process, log);
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>The exit status; 128 and the signal's number where one ended it.</returns>
    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync();
        await Task.WhenAll(_output, _errors);
        Log.End();
        return _process.ExitCode;
    }

    /// <summary>Asks the first process to end, and makes all of them end when that takes too long.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        try
        {
            if (grace > TimeSpan.Zero)
            {
                await SignalAsync(Terminate);
                await _process.WaitForExitAsync().WaitAsync(grace);
            }
        }
        catch (TimeoutException)
        {
            // Then by force.
        }
        while (!_process.HasExited)
        {
            await SignalAsync(Kill);
            await Task.WhenAny(_process.WaitForExitAsync(), Task.Delay(TimeSpan.FromMilliseconds(50)));
        }
    }

    public void Dispose() => _process.Dispose();

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);

    /// <summary>The first process of the sandbox, which takes all others with it: bwrap's child. Null where all is over.</summary>
    public async Task<int?> FirstAsync()
    {
        while (!_process.HasExited)
        {
            var children = await ReadAsync($"/proc/{_process.Id}/task/{_process.Id}/children");
            if (int.TryParse(children.Split(' ')[0], CultureInfo.InvariantCulture, out var first)) return first;
            await Task.Delay(TimeSpan.FromMilliseconds(5));
        }
        return null;
    }

    private async Task SignalAsync(int signal)
    {
        if (await FirstAsync() is { } first) _ = Signal(first, signal);
    }

    private static async Task<string> ReadAsync(string path)
    {
        try
        {
            return await File.ReadAllTextAsync(path);
        }
        catch (IOException)
        {
            return "";
        }
    }

    private async Task PumpAsync(Stream stream)
    {
        var buffer = new byte[64 * 1024];
        while (await stream.ReadAsync(buffer) is > 0 and var length) Log.Append(buffer.AsSpan(0, length));
    }
}
