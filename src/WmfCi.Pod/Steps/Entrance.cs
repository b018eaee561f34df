using System.Globalization;
using System.Text;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Steps;

/// <summary>
/// What becomes the step's shell: takes on its limits, which the supervisor must not have itself, and gives its place to the shell. The variables come with a letter
/// before each, so that none of them means anything to this program.
/// </summary>
internal static unsafe class Entrance
{
    /// <summary>The word that calls it.</summary>
    public const string Word = "enter";

    /// <summary>Where it says how far it got; closed by the kernel when the shell takes over.</summary>
    public const int ReportDescriptor = 3;

    /// <summary>What it says just before the shell takes over.</summary>
    public const byte Ready = (byte)'.';

    /// <summary>What stands before each variable.</summary>
    public const byte Mark = (byte)'_';

    private const string Shell = "/bin/sh";

    /// <summary>Takes on limits and starts a shell in place of this process.</summary>
    /// <param name="arguments">The most processes, the largest file in bytes, the script.</param>
    /// <returns>Only where it failed: 127.</returns>
    public static int Enter(string[] arguments)
    {
        const int closeOnExec = 1, failed = 127;
        if (arguments is not [var processes, var fileBytes, var script] || !ulong.TryParse(processes, CultureInfo.InvariantCulture, out var maxProcesses)
            || !ulong.TryParse(fileBytes, CultureInfo.InvariantCulture, out var maxFileBytes)) return failed;
        if (Native.ControlDescriptor(ReportDescriptor, Native.SetDescriptorFlags, closeOnExec) != 0) return failed;
        if (Native.ChangeFolder(PodPaths.Work) != 0) return Fail($"the workspace cannot be entered: {Native.LastError()}");
        var variables = Variables();
        // The runtime ignores a signal, and the shell would inherit that.
        for (var signal = 1; signal <= Native.LastSignal; signal++) Native.SetSignal(signal, 0);
        using var path = new NativeStrings([Encoding.UTF8.GetBytes(Shell)]);
        using var command = new NativeStrings([Encoding.UTF8.GetBytes(Shell), "-e"u8.ToArray(), Encoding.UTF8.GetBytes(script)]);
        using var environment = new NativeStrings(variables);
        // Nothing else that this process holds or was given is the shell's; kernels that cannot do that at once have given it nothing.
        _ = Native.CloseRange(ReportDescriptor + 1, uint.MaxValue, Native.CloseRangeOnExec);
        Report([Ready]);
        Lower(Native.LimitCore, 0);
        Lower(Native.LimitFileSize, maxFileBytes);
        Lower(Native.LimitProcesses, maxProcesses);
        _ = Native.Execute(path.Pointers[0], command.Pointers, environment.Pointers);
        return Fail($"{Shell} cannot be started: {Native.LastError()}");

        static int Fail(string why)
        {
            Report(Encoding.UTF8.GetBytes(why));
            return failed;
        }
    }

    private static void Lower(int resource, ulong bound)
    {
        if (Native.GetLimit(resource, out var limit) != 0) return;
        var hard = Math.Min(limit.Hard, bound);
        Native.SetLimit(resource, new Native.Limit { Soft = hard, Hard = hard });
    }

    /// <summary>This process's variables, byte for byte, without the letter before each.</summary>
    private static List<byte[]> Variables()
    {
        var variables = new List<byte[]>();
        var rest = File.ReadAllBytes("/proc/self/environ").AsSpan();
        while (rest.Length > 0)
        {
            var end = rest.IndexOf((byte)0);
            var variable = end < 0 ? rest : rest[..end];
            if (variable.Length > 1 && variable[0] == Mark) variables.Add(variable[1..].ToArray());
            rest = end < 0 ? default : rest[(end + 1)..];
        }

        return variables;
    }

    private static void Report(ReadOnlySpan<byte> text)
    {
        fixed (byte* start = text) _ = Native.Write(ReportDescriptor, start, (nuint)text.Length);
    }
}
