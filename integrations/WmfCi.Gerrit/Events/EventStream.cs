using System.Buffers;
using System.ComponentModel;
using System.Globalization;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using CliWrap;
using WmfCi.Gerrit.Rest;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Events;

/// <summary>Gerrit's events by the <c>ssh</c> program: <c>gerrit stream-events</c>, documented at <c>cmd-stream-events.html</c>.</summary>
internal sealed class EventStream(GerritOptions options)
{
    /// <summary>The longest line that is kept, in bytes. Gerrit's longest ordinary ones carry a commit message or comment, some 35 KB.</summary>
    public const int MaxLineBytes = 1024 * 1024;

    // Lines that were read and not yet taken. When it is full ssh is not read on, and Gerrit queues (sshd.streamEventQueueSize).
    private const int MaxWaitingLines = 256;
    private const int MaxErrorBytes = 8 * 1024;

    /// <inheritdoc cref="ICodeReview.ListenAsync"/>
    public async IAsyncEnumerable<string> ListenAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var lines = Channel.CreateBounded<string>(new BoundedChannelOptions(MaxWaitingLines) { SingleReader = true, SingleWriter = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var run = RunAsync(lines.Writer, stop.Token);
        try
        {
            await foreach (var line in lines.Reader.ReadAllAsync(cancellationToken)) yield return line;
        }
        finally
        {
            // Kills the process and waits until it is gone, however the enumeration ended.
            await stop.CancelAsync();
            await run;
        }
    }

    /// <summary>The arguments of <c>ssh</c>. Nothing of the user's or machine's configuration is used, no other key, no agent, and no host key but the pinned one.</summary>
    public IReadOnlyList<string> Arguments()
    {
        var seconds = Seconds(options.SshKeepAlive);
        string[] settings =
        [
            "IdentitiesOnly=yes", "IdentityAgent=none", "PreferredAuthentications=publickey", "BatchMode=yes",
            $"UserKnownHostsFile={Quoted(options.KnownHostsFile)}", "GlobalKnownHostsFile=none", "StrictHostKeyChecking=yes", "UpdateHostKeys=no",
            $"ServerAliveInterval={seconds}", $"ServerAliveCountMax={options.SshKeepAliveMisses.ToString(CultureInfo.InvariantCulture)}",
            $"ConnectTimeout={Seconds(options.SshConnectTimeout)}", "ClearAllForwardings=yes", "LogLevel=ERROR",
        ];
        return
        [
            "-F", "none", "-T", "-p", options.SshPort.ToString(CultureInfo.InvariantCulture), "-i", options.SshKeyFile.Replace("%", "%%", StringComparison.Ordinal),
            .. settings.SelectMany(setting => new[] { "-o", setting }),
            "--", $"{options.User}@{options.SshHost}", "gerrit", "stream-events",
        ];
    }

    /// <summary>What the end of the stream means, from what ssh printed last.</summary>
    public static CodeReviewException Ended(string errors, int exitCode)
    {
        var last = OneLine.Of(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault() ?? "");
        if (last.Length == 0) return new CodeReviewException(string.Create(CultureInfo.InvariantCulture, $"Gerrit ended the event stream (ssh exited with {exitCode})."), FailureClass.Transient);
        var advice =
            Says(last, "not permitted") ? "Give the account the global capability \"Stream Events\"."
            : Says(last, "permission denied") ? "Add the account's public key in Gerrit (Settings, SSH Keys), and check the user name and the key file."
            : Says(last, "host key verification failed") || Says(last, "host key is known") ? "The server's key is not the pinned one: compare it with Gerrit's, then correct the known-hosts file."
            : Says(last, "bad configuration option") || Says(last, "not found") && exitCode != 255 ? "Check the ssh settings."
            : null;
        return advice is null
            ? new CodeReviewException($"The event stream broke: {last}", FailureClass.Transient)
            : new CodeReviewException($"The event stream was refused: {last} {advice}", FailureClass.Permanent);
    }

    private async Task RunAsync(ChannelWriter<string> lines, CancellationToken cancellationToken)
    {
        try
        {
            var errors = new StringBuilder();
            var result = await Cli.Wrap(options.SshProgram)
                .WithArguments(Arguments())
                .WithStandardOutputPipe(PipeTarget.Create((stream, token) => ReadLinesAsync(stream, lines, token)))
                .WithStandardErrorPipe(PipeTarget.Create((stream, token) => ReadErrorsAsync(stream, errors, token)))
                .WithValidation(CommandResultValidation.None)
                .ExecuteAsync(cancellationToken);
            lines.TryComplete(Ended(errors.ToString(), result.ExitCode));
        }
        catch (OperationCanceledException)
        {
            lines.TryComplete();
        }
        catch (Win32Exception error)
        {
            lines.TryComplete(new CodeReviewException($"The program '{options.SshProgram}' could not be started: install the OpenSSH client. {OneLine.Of(error.Message)}", FailureClass.Permanent, error));
        }
        catch (Exception error)
        {
            // Whatever else it is, the enumeration must end with it rather than wait for ever.
            lines.TryComplete(new CodeReviewException($"The event stream broke: {OneLine.Of(error.Message)}", FailureClass.Transient, error));
        }
    }

    /// <summary>Reads lines as they come, each at most <see cref="MaxLineBytes"/> long; in the place of a longer one there is a marker.</summary>
    public static async Task ReadLinesAsync(Stream stream, ChannelWriter<string> lines, CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        var dropping = false;
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end);
                buffer = buffer.Slice(buffer.GetPosition(1, end));
                if (dropping || line.Length > MaxLineBytes) await lines.WriteAsync(StreamEvents.TooLongLine, cancellationToken);
                else if (!line.IsEmpty) await lines.WriteAsync(Encoding.UTF8.GetString(line), cancellationToken);
                dropping = false;
            }
            if (buffer.Length > MaxLineBytes)
            {
                dropping = true;
                buffer = buffer.Slice(buffer.End);
            }
            reader.AdvanceTo(buffer.Start, buffer.End);
            // A line without its end is a cut one: it says nothing that the catch-up does not find.
            if (read.IsCompleted) break;
        }
        await reader.CompleteAsync();
    }

    // Only the end is kept: that is where ssh says why it gave up.
    private static async Task ReadErrorsAsync(Stream stream, StringBuilder errors, CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxErrorBytes];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            errors.Append(Encoding.UTF8.GetString(buffer, 0, read));
            if (errors.Length > MaxErrorBytes) errors.Remove(0, errors.Length - MaxErrorBytes);
        }
    }

    private static bool Says(string text, string words) => text.Contains(words, StringComparison.OrdinalIgnoreCase);

    private static string Seconds(TimeSpan time) => Math.Max(1, (int)Math.Ceiling(time.TotalSeconds)).ToString(CultureInfo.InvariantCulture);

    // ssh splits the values of this option at spaces and replaces what follows a percent sign.
    private static string Quoted(string path) => $"\"{path.Replace("%", "%%", StringComparison.Ordinal)}\"";
}
