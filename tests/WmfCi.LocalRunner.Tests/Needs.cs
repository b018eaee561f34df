using System.Diagnostics;

namespace WmfCi.LocalRunner.Tests;

/// <summary>What a test needs of the machine; without it the test is skipped, and says why.</summary>
internal static class Needs
{
    private static readonly Lazy<string?> BubblewrapProblem = new(() => Problem("bwrap", "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc", "true"));
    private static readonly Lazy<string?> PodmanProblem = new(() => Problem("podman", "info"));

    public static void Bubblewrap() => Assert.SkipUnless(BubblewrapProblem.Value is null, $"bubblewrap makes no sandbox here: {BubblewrapProblem.Value}");

    public static void Podman()
    {
        Assert.SkipUnless(PodmanProblem.Value is null, $"podman does not work here: {PodmanProblem.Value}");
        Assert.SkipUnless(File.Exists("/bin/busybox"), "busybox-static, which the test's image is made of, is not installed");
    }

    public static void Root() => Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can do this");

    /// <summary>Runs a program to its end.</summary>
    /// <returns>What it said.</returns>
    public static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = new System.Text.StringBuilder();
        process.ErrorDataReceived += (_, line) => error.AppendLine(line.Data);
        process.BeginErrorReadLine();
        var said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? said : throw new InvalidOperationException($"{program}: {error}");
    }

    private static string? Problem(string program, params string[] arguments)
    {
        try
        {
            _ = Run(program, arguments);
            return null;
        }
        catch (Exception error) when (error is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return error.Message;
        }
    }
}
