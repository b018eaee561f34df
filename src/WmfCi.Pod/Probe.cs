using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace WmfCi.Pod;

/// <summary>
/// What a step can do and see, tried out for the self-test of a cluster. It is part of this program because every step has it, so that nothing depends on what an image has. It runs as a step does,
/// with no right that a step has not, and prints no secret: of files and variables only that they are there.
/// </summary>
/// <remarks>
/// It reads a file of lines <c>NAME KIND ARGUMENTS…</c> and prints <c>probe TAB NAME TAB RESULT</c> for each:
/// <c>tcp HOST PORT</c>, <c>udp HOST PORT</c>, <c>name NAME</c>, <c>file PATH</c>, <c>write FOLDER</c>, <c>environment PREFIX</c>, <c>status FIELD</c> (of <c>/proc/self/status</c>), <c>clock</c>,
/// <c>processes COUNT</c>, <c>memory BYTES</c>, <c>disk FOLDER BYTES SECONDS</c>.
/// </remarks>
internal static class Probe
{
    private const int MaxLines = 100, MaxResult = 200, PieceBytes = 8 << 20;
    private static readonly TimeSpan NetworkPatience = TimeSpan.FromSeconds(4);

    /// <summary>Tries everything that a file names: at once what waits for the network, the rest one after another.</summary>
    /// <returns>The exit status: 0, or 2 where the file cannot be used.</returns>
    public static async Task<int> RunAsync(string file, TextWriter output)
    {
        string[][] probes;
        try
        {
            probes = [.. (await File.ReadAllLinesAsync(file)).Take(MaxLines).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(words => words.Length >= 2)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            await output.WriteLineAsync($"The probes cannot be read: {error.Message}");
            return 2;
        }

        var early = probes.Where(words => words[1] is "tcp" or "udp" or "name").ToDictionary(words => words, TryAsync);
        foreach (var words in probes)
        {
            var result = await (early.TryGetValue(words, out var begun) ? begun : TryAsync(words));
            await output.WriteLineAsync($"probe\t{words[0]}\t{(result.Length > MaxResult ? result[..MaxResult] : result)}");
            // What follows may end this process.
            await output.FlushAsync();
        }

        return 0;
    }

    private static async Task<string> TryAsync(string[] words)
    {
        try
        {
            return words[1..] switch
            {
                ["tcp", var host, var port] => await ConnectAsync(host, Number(port)),
                ["udp", var host, var port] => await SendAsync(host, Number(port)),
                ["name", var name] => await ResolveAsync(name),
                ["file", var path] => Look(path),
                ["write", var folder] => Write(folder),
                ["environment", var prefix] => Variables(prefix),
                ["status", var field] => Status(field),
                ["clock"] => TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture),
                ["processes", var count] => Processes(Number(count)),
                ["memory", var bytes] => Memory(long.Parse(bytes, CultureInfo.InvariantCulture)),
                ["disk", var folder, var bytes, var seconds] => await FillAsync(folder, long.Parse(bytes, CultureInfo.InvariantCulture), Number(seconds)),
                _ => "unknown",
            };
        }
        catch (Exception error)
        {
            // Whatever it was, the other probes go on, and the reader hears it.
            return $"failed: {error.GetType().Name}";
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static async Task<string> ConnectAsync(string host, int port)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var limit = new CancellationTokenSource(NetworkPatience);
        try
        {
            await socket.ConnectAsync(IPAddress.Parse(host), port, limit.Token);
            return "connected";
        }
        catch (OperationCanceledException)
        {
            return "silence";
        }
        catch (SocketException error)
        {
            return error.SocketErrorCode == SocketError.ConnectionRefused ? "refused" : $"unreachable: {error.SocketErrorCode}";
        }
    }

    private static async Task<string> SendAsync(string host, int port)
    {
        var address = IPAddress.Parse(host);
        using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            await socket.SendToAsync("wmfci"u8.ToArray(), new IPEndPoint(address, port));
            return "sent";
        }
        catch (SocketException error)
        {
            return $"unreachable: {error.SocketErrorCode}";
        }
    }

    private static async Task<string> ResolveAsync(string name)
    {
        using var limit = new CancellationTokenSource(NetworkPatience);
        try
        {
            return (await Dns.GetHostAddressesAsync(name, limit.Token).WaitAsync(limit.Token)).Length > 0 ? "resolved" : "nothing";
        }
        catch (OperationCanceledException)
        {
            return "silence";
        }
        catch (SocketException error)
        {
            return $"unknown: {error.SocketErrorCode}";
        }
    }

    private static string Look(string path)
    {
        try
        {
            if (Directory.Exists(path)) return Directory.EnumerateFileSystemEntries(path).Any() ? "readable" : "empty";
            using var file = File.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            return file.ReadByte() < 0 ? "empty" : "readable";
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return "absent";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "refused";
        }
    }

    private static string Write(string folder)
    {
        var path = Path.Combine(folder, "wmfci-probe");
        try
        {
            File.WriteAllBytes(path, "probe"u8.ToArray());
            File.Delete(path);
            return "written";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "refused";
        }
    }

    private static string Variables(string prefix)
    {
        var names = Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
        return names.Count == 0 ? "none" : string.Join(' ', names);
    }

    private static string Status(string field) =>
        File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(field + ":", StringComparison.Ordinal)) is { } line
            ? string.Join(' ', line[(field.Length + 1)..].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)) : "absent";

    // Not threads: the runtime may end when it cannot have one of its own. A child that does nothing costs next to nothing, and nothing here waits until they are gone.
    private static string Processes(int count)
    {
        var children = new List<int>(count);
        while (children.Count < count)
        {
            var child = Native.Fork();
            if (child == 0)
                while (true) _ = Native.Pause();
            if (child < 0) break;
            children.Add(child);
        }

        foreach (var child in children) _ = Native.Kill(child, Native.SigKill);
        foreach (var child in children) _ = Native.Wait(child, out _, 0);
        return children.Count == count ? "all" : string.Create(CultureInfo.InvariantCulture, $"stopped after {children.Count}");
    }

    // Not of the runtime's heap, which has a bound of its own below the container's.
    private static unsafe string Memory(long bytes)
    {
        for (var left = bytes; left > 0; left -= PieceBytes)
        {
            // Memory counts when it is written; the end of the process frees it.
            NativeMemory.Fill(NativeMemory.Alloc(PieceBytes), PieceBytes, 1);
        }

        return "all";
    }

    // Many files: a bound on the size of one would end it otherwise, which says nothing of the cluster's bound.
    private static async Task<string> FillAsync(string folder, long bytes, int seconds)
    {
        var piece = new byte[PieceBytes];
        Random.Shared.NextBytes(piece);
        var number = 0;
        for (var left = bytes; left > 0; left -= PieceBytes) await File.WriteAllBytesAsync(Path.Combine(folder, $"wmfci-probe-{number++}"), piece);
        await Task.Delay(TimeSpan.FromSeconds(seconds));
        return "all";
    }
}
