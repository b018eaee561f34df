using System.Buffers.Binary;
using System.Text;
using CliWrap;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>One ref that a push wants to move, and what became of it.</summary>
internal sealed class RefCommand(string old, string next, string name)
{
    public string Old => old;
    public string New => next;
    public string Name => name;
    public bool IsDeletion => next == CommitInfo.NoRevision;

    /// <summary>Why it was refused; null when it was carried out.</summary>
    public string? Refusal { get; set; }
}

/// <summary>A push as it was read: commands, options, and the person.</summary>
internal sealed record PushRequest(string Project, Account User, IReadOnlyList<RefCommand> Commands, IReadOnlyList<string> Options);

/// <summary>git's receive-pack (gitprotocol-pack), with Gerrit's answers in place of git's.</summary>
internal sealed class ReceivePack(Site site)
{
    private const int MaxCommands = 200;
    private const int MaxOptions = 200;
    private const int UnpackLimit = 100;
    private const int PackHeader = 12;
    private const string Capabilities = "side-band-64k delete-refs report-status quiet ofs-delta push-options agent=JGit/unknown";

    public async Task AdvertiseAsync(string project, Stream output, CancellationToken ct)
    {
        var refs = await site.Repository(project).RefsAsync(ct, "refs/heads/", "refs/tags/");
        var first = true;
        foreach (var (name, commit) in refs)
        {
            await output.WriteAsync(PktLine.Line($"{commit} {name}{(first ? "\0 " + Capabilities : "")}\n"), ct);
            first = false;
        }
        if (first) await output.WriteAsync(PktLine.Line($"{CommitInfo.NoRevision} capabilities^{{}}\0 {Capabilities}\n"), ct);
        foreach (var commit in await OpenPatchSetsAsync(project, ct)) await output.WriteAsync(PktLine.Line($"{commit} .have\n"), ct);
        await output.WriteAsync(PktLine.Flush, ct);
    }

    public async Task ReceiveAsync(string project, Account user, Stream input, Stream output, CancellationToken ct)
    {
        var (commands, capabilities) = await ReadCommandsAsync(input, ct);
        if (commands.Count == 0) return;
        var options = capabilities.Contains("push-options") ? await ReadOptionsAsync(input, ct) : [];
        var unpacked = commands.All(c => c.IsDeletion) ? null : await UnpackAsync(project, input, ct);
        var said = new StringBuilder();
        if (unpacked is null)
        {
            var request = new PushRequest(project, user, commands, options);
            await site.ExclusivelyAsync(async () =>
            {
                said.Append(await new PushHandler(site, request).HandleAsync(ct));
                return 0;
            }, ct);
        }
        else
        {
            foreach (var command in commands) command.Refusal = "unpacker error";
        }
        await AnswerAsync(output, commands, (unpacked, said.ToString(), capabilities), ct);
    }

    private async Task<IReadOnlyList<string>> OpenPatchSetsAsync(string project, CancellationToken ct) =>
        await site.ExclusivelyAsync(
            () => Task.FromResult(site.Facts.Changes.Values.Where(c => c.Project == project && c.IsOpen && !c.Private).Select(c => c.Current.Revision).ToList()), ct);

    private static async Task<(List<RefCommand> Commands, HashSet<string> Capabilities)> ReadCommandsAsync(Stream input, CancellationToken ct)
    {
        var commands = new List<RefCommand>();
        var capabilities = new HashSet<string>(StringComparer.Ordinal);
        while (await PktLine.ReadAsync(input, ct) is { } line)
        {
            var text = Encoding.UTF8.GetString(line).TrimEnd('\n');
            if (text.Split('\0') is [var command, var words])
            {
                capabilities.UnionWith(words.Split(' '));
                text = command;
            }
            if (text.Split(' ', 3) is not [{ Length: 40 } old, { Length: 40 } next, var name] || !old.All(char.IsAsciiHexDigitLower) || !next.All(char.IsAsciiHexDigitLower))
                throw new InvalidDataException("a push command that is not OLD NEW REF");
            commands.Add(new RefCommand(old, next, name));
            if (commands.Count > MaxCommands) throw new InvalidDataException($"more than {MaxCommands} refs in one push");
        }
        return (commands, capabilities);
    }

    private static async Task<List<string>> ReadOptionsAsync(Stream input, CancellationToken ct)
    {
        var options = new List<string>();
        while (await PktLine.ReadAsync(input, ct) is { } line)
        {
            options.Add(Encoding.UTF8.GetString(line).TrimEnd('\n'));
            if (options.Count > MaxOptions) throw new InvalidDataException($"more than {MaxOptions} push options");
        }
        return options;
    }

    /// <summary>Stores the pack's objects. Returns what was wrong with it, or null.</summary>
    private async Task<string?> UnpackAsync(string project, Stream input, CancellationToken ct)
    {
        var header = new byte[PackHeader];
        await input.ReadExactlyAsync(header, ct);
        var objects = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(8));
        var source = PipeSource.Create(async (stdin, cancel) =>
        {
            await stdin.WriteAsync(header, cancel);
            await input.CopyToAsync(stdin, cancel);
        });
        string[] arguments = objects < UnpackLimit ? ["unpack-objects", "-q"] : ["index-pack", "--stdin", "--fix-thin"];
        try
        {
            await GitProgram.BytesAsync(site.Repository(project).Folder, arguments, ct, source);
            return null;
        }
        catch (GitFailedException e)
        {
            return e.Message.ReplaceLineEndings(" ").Trim();
        }
    }

    private static async Task AnswerAsync(
        Stream output, IEnumerable<RefCommand> commands, (string? UnpackError, string Said, HashSet<string> Capabilities) result, CancellationToken ct)
    {
        var report = new List<byte>(PktLine.Line($"unpack {result.UnpackError ?? "ok"}\n"));
        foreach (var command in commands)
            report.AddRange(PktLine.Line(command.Refusal is null ? $"ok {command.Name}\n" : $"ng {command.Name} {command.Refusal}\n"));
        report.AddRange(PktLine.Flush);
        var sideBand = result.Capabilities.Contains("side-band-64k");
        if (sideBand && result.Said.Length > 0) await PktLine.SideBandAsync(output, 2, Encoding.UTF8.GetBytes(result.Said), ct);
        if (result.Capabilities.Contains("report-status"))
        {
            if (sideBand) await PktLine.SideBandAsync(output, 1, report.ToArray(), ct);
            else await output.WriteAsync(report.ToArray(), ct);
        }
        if (sideBand) await output.WriteAsync(PktLine.Flush, ct);
    }
}
