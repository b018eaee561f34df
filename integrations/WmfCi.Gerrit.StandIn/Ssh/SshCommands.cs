using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using CliWrap;
using WmfCi.Gerrit.StandIn.Git;
using WmfCi.Gerrit.StandIn.Model;
using WmfCi.Gerrit.StandIn.Rest;

namespace WmfCi.Gerrit.StandIn.Ssh;

/// <summary>The commands behind <c>ssh HOST gerrit …</c>, and git over SSH.</summary>
internal sealed class SshCommands(Site site)
{
    private const int MaxWords = 200;
    private static readonly JsonSerializerOptions Wire = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Runs a command and returns its exit status.</summary>
    public async Task<int> RunAsync(SshChannel channel, string command, CancellationToken ct)
    {
        var words = Words(command);
        try
        {
            return words switch
            {
                [] => await FailAsync(channel, $"\r\n  ****    Welcome to Gerrit Code Review    ****\r\n\r\n  Hi {channel.Account.FullName}, interactive shells are disabled.\r\n", 127, ct),
                ["gerrit", "version", ..] => await SayAsync(channel, $"gerrit version {StandInGerrit.GerritVersion}\n", ct),
                ["gerrit", "stream-events", .. var rest] => await StreamAsync(channel, rest, ct),
                ["gerrit", "query", .. var rest] => await QueryAsync(channel, rest, ct),
                ["gerrit", "review", .. var rest] => await ReviewAsync(channel, rest, ct),
                ["gerrit", "ls-projects", ..] => await SayAsync(channel, string.Concat(site.Facts.Projects.Keys.Select(p => p + "\n")), ct),
                ["gerrit", var unknown, ..] => await FailAsync(channel, $"fatal: gerrit: {unknown}: not found\n", 1, ct),
                ["git-upload-pack", var project] => await UploadPackAsync(channel, project, ct),
                ["git-receive-pack", var project] => await ReceivePackAsync(channel, project, ct),
                [var unknown, ..] => await FailAsync(channel, $"fatal: {unknown}: not found\n", 1, ct),
            };
        }
        catch (RefusedException refusal)
        {
            return await FailAsync(channel, $"fatal: {refusal.Message}\n", 1, ct);
        }
    }

    private static async Task<int> SayAsync(SshChannel channel, string text, CancellationToken ct)
    {
        await channel.WriteAsync(Encoding.UTF8.GetBytes(text), ct);
        return 0;
    }

    private static async Task<int> FailAsync(SshChannel channel, string text, int status, CancellationToken ct)
    {
        await channel.WriteErrorAsync(text, ct);
        return status;
    }

    private async Task<int> StreamAsync(SshChannel channel, string[] arguments, CancellationToken ct)
    {
        if (!Rights.MayStream(channel.Account)) return await FailAsync(channel, "stream events not permitted\n", 1, ct);
        var types = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < arguments.Length - 1; i++)
            if (arguments[i] is "-s" or "--subscribe") types.Add(arguments[i + 1]);
        using var listener = site.Events.Open(channel.Account, types);
        if (listener is null) return await FailAsync(channel, "fatal: no more streams are served now\n", 1, ct);
        await foreach (var line in listener.ReadAllAsync(ct))
        {
            try
            {
                await channel.WriteAsync(line, ct);
            }
            finally
            {
                listener.Written();
            }
        }
        return 1;
    }

    private async Task<int> QueryAsync(SshChannel channel, string[] arguments, CancellationToken ct)
    {
        if (!arguments.Contains("--format=JSON") && !(arguments.Contains("--format") && arguments.Contains("JSON")))
            throw new RefusedException(400, "only --format=JSON is served here");
        var query = string.Join(' ', arguments.Where(a => !a.StartsWith("--", StringComparison.Ordinal) && a != "JSON"));
        var lines = new StringBuilder();
        try
        {
            await site.ExclusivelyAsync(() =>
            {
                var matches = ChangeQuery.Parse(site, channel.Account, query);
                var found = site.Facts.Changes.Values.Where(matches).OrderByDescending(c => c.Updated).ThenByDescending(c => c.Number).ToList();
                foreach (var change in found.Take(ChangeResource.MaxListed)) lines.Append(Row(change, arguments).ToJsonString(Wire)).Append('\n');
                var stats = new JsonObject
                {
                    ["type"] = "stats",
                    ["rowCount"] = Math.Min(found.Count, ChangeResource.MaxListed),
                    ["runTimeMilliseconds"] = 1,
                    ["moreChanges"] = found.Count > ChangeResource.MaxListed,
                };
                lines.Append(stats.ToJsonString(Wire)).Append('\n');
                return Task.FromResult(0);
            }, ct);
        }
        catch (RefusedException refusal)
        {
            lines.Append(new JsonObject { ["type"] = "error", ["message"] = refusal.Message }.ToJsonString(Wire)).Append('\n');
        }
        return await SayAsync(channel, lines.ToString(), ct);
    }

    private JsonObject Row(Change change, string[] arguments)
    {
        var row = EventShapes.Change(site, change);
        row["hashtags"] ??= new JsonArray();
        row["lastUpdated"] = change.Updated.ToUnixTimeSeconds();
        row["open"] = change.IsOpen;
        if (arguments.Contains("--comments"))
        {
            row["comments"] = new JsonArray([.. change.Messages.Select(m => (JsonNode)new JsonObject
            {
                ["timestamp"] = m.Date.ToUnixTimeSeconds(), ["reviewer"] = EventShapes.Person(site.Accounts[m.Author]), ["message"] = m.Message,
            })]);
        }
        if (arguments.Contains("--current-patch-set")) row["currentPatchSet"] = EventShapes.PatchSet(site, change.Current);
        return row;
    }

    // As "12,3", or as the commit.
    private (Change Change, PatchSet Found)? FindPatchSet(string target)
    {
        if (target.Split(',') is [var n, var p])
        {
            return int.TryParse(n, out var number) && int.TryParse(p, out var patchSet) && site.Facts.Changes.TryGetValue(number, out var named)
                && named.PatchSets.Find(s => s.Number == patchSet) is { } numbered ? (named, numbered) : null;
        }
        foreach (var change in site.Facts.Changes.Values)
        {
            if (change.PatchSets.Find(s => s.Revision == target) is { } found) return (change, found);
        }
        return null;
    }

    private async Task<int> ReviewAsync(SshChannel channel, string[] arguments, CancellationToken ct)
    {
        var labels = new Dictionary<string, int>(StringComparer.Ordinal);
        string? message = null, tag = null, target = null;
        for (var i = 0; i < arguments.Length; i++)
        {
            string Value() => ++i < arguments.Length ? arguments[i] : throw new RefusedException(400, "an option without its value");
            switch (arguments[i])
            {
                case "--message" or "-m": message = Value(); break;
                case "--tag" or "-t": tag = Value(); break;
                case "--code-review": labels["Code-Review"] = Number(Value()); break;
                case "--verified": labels["Verified"] = Number(Value()); break;
                case "--label" or "-l":
                    var vote = Value().Split('=', 2);
                    labels[vote[0]] = vote.Length == 2 ? Number(vote[1]) : 1;
                    break;
                case ['-', ..]: throw new RefusedException(400, $"\"{arguments[i]}\" is not served here");
                default: target = arguments[i]; break;
            }
        }
        await site.ExclusivelyAsync(() =>
        {
            if (FindPatchSet(target ?? "") is not var (change, found) || !Rights.MaySee(channel.Account, change)) throw new RefusedException(404, $"\"{target}\" no such patch set");
            new Reviews(site).Post(change, found, channel.Account, new ReviewInput { Message = message, Tag = tag, Labels = labels.Count > 0 ? labels : null });
            return Task.FromResult(0);
        }, ct);
        return 0;
    }

    private async Task<int> UploadPackAsync(SshChannel channel, string path, CancellationToken ct)
    {
        var project = FindProject(path);
        var hidden = await SmartHttp.HiddenRefsAsync(site, project.Name, channel.Account, ct);
        var environment = new Dictionary<string, string?> { ["GIT_PROTOCOL"] = channel.Protocol };
        string folder = site.Repository(project.Name).Folder;
        var command = GitProgram.Command(folder, [.. hidden, "upload-pack", folder], environment)
            .WithStandardInputPipe(PipeSource.FromStream(channel.Input, autoFlush: true))
            .WithStandardOutputPipe(PipeTarget.Create((output, cancel) => CopyAsync(output, channel, cancel)));
        return (await command.ExecuteAsync(ct)).ExitCode;
    }

    private async Task<int> ReceivePackAsync(SshChannel channel, string path, CancellationToken ct)
    {
        var project = FindProject(path);
        var pack = new ReceivePack(site);
        using var output = new MemoryStream();
        await pack.AdvertiseAsync(project.Name, output, ct);
        await channel.WriteAsync(output.ToArray(), ct);
        output.SetLength(0);
        await pack.ReceiveAsync(project.Name, channel.Account, channel.Input, output, ct);
        await channel.WriteAsync(output.ToArray(), ct);
        return 0;
    }

    private static async Task CopyAsync(Stream from, SshChannel to, CancellationToken ct)
    {
        var buffer = new byte[SshChannel.MaxData];
        while (await from.ReadAsync(buffer, ct) is > 0 and var read) await to.WriteAsync(buffer.AsMemory(0, read), ct);
    }

    private Project FindProject(string path)
    {
        var name = SmartHttp.ProjectName(path.TrimStart('/'));
        return site.Project(name) ?? throw new RefusedException(404, $"project {name} not found");
    }

    private static int Number(string text) => int.TryParse(text, out var number) ? number : throw new RefusedException(400, $"\"{text}\" is not a number");

    /// <summary>A command line's words; single and double quotes hold words together, a backslash takes the next character as it is.</summary>
    private static string[] Words(string command)
    {
        var words = new List<string>();
        StringBuilder? word = null;
        var quote = '\0';
        for (var i = 0; i < command.Length && words.Count < MaxWords; i++)
        {
            var c = command[i];
            if (quote != '\0' && c == quote) quote = '\0';
            else if (c == '\\' && quote != '\'' && i + 1 < command.Length) (word ??= new()).Append(command[++i]);
            else if (quote != '\0') word!.Append(c);
            else if (c is '\'' or '"')
            {
                quote = c;
                word ??= new();
            }
            else if (c is ' ' or '\t' or '\n')
            {
                if (word is not null) words.Add(word.ToString());
                word = null;
            }
            else (word ??= new()).Append(c);
        }
        if (word is not null) words.Add(word.ToString());
        return [.. words];
    }
}
