using System.Globalization;
using System.Text;
using CliWrap;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>A bare repository, asked through the git program.</summary>
internal sealed class Repository(string folder)
{
    /// <summary>The highest number of new commits in one push.</summary>
    public const int MaxNewCommits = 500;

    public string Folder => folder;

    public static async Task<Repository> CreateAsync(string folder, string head, CancellationToken ct)
    {
        Directory.CreateDirectory(folder);
        await GitProgram.RunAsync(folder, ["init", "--quiet", "--bare", "--initial-branch=" + head], ct);
        return new Repository(folder);
    }

    public Task<string> RunAsync(IEnumerable<string> arguments, CancellationToken ct, string? input = null) =>
        GitProgram.RunAsync(folder, arguments, ct, input);

    /// <summary>A ref's or an id's commit; null when there is none.</summary>
    public async Task<string?> ResolveAsync(string name, CancellationToken ct)
    {
        var (found, output, _) = await GitProgram.TryAsync(folder, ["rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"], ct);
        return found ? output.Trim() : null;
    }

    public async Task<string> HeadAsync(CancellationToken ct) => (await RunAsync(["symbolic-ref", "HEAD"], ct)).Trim();

    public async Task<IReadOnlyDictionary<string, string>> RefsAsync(CancellationToken ct, params string[] prefixes)
    {
        var refs = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in Lines(await RunAsync(["for-each-ref", "--format=%(objectname) %(refname)", .. prefixes], ct)))
            refs[line[41..]] = line[..40];
        return refs;
    }

    /// <summary>Moves a ref only if it still is where the caller believes; false when it is not.</summary>
    public async Task<bool> UpdateRefAsync(string name, string next, string old, CancellationToken ct)
    {
        var arguments = next == CommitInfo.NoRevision ? new[] { "update-ref", "-d", name, old } : ["update-ref", name, next, old];
        return (await GitProgram.TryAsync(folder, arguments, ct)).Succeeded;
    }

    public Task CreateRefsAsync(IEnumerable<(string Name, string Commit)> refs, CancellationToken ct) =>
        RunAsync(["update-ref", "--stdin"], ct, string.Concat(refs.Select(r => $"create {r.Name} {r.Commit}\n")));

    public async Task<bool> IsAncestorAsync(string ancestor, string descendant, CancellationToken ct) =>
        (await GitProgram.TryAsync(folder, ["merge-base", "--is-ancestor", ancestor, descendant], ct)).Succeeded;

    /// <summary>Commits that a tip has and no branch has, parents first.</summary>
    public async Task<IReadOnlyList<string>> NewCommitsAsync(string tip, CancellationToken ct) =>
        Lines(await RunAsync(["rev-list", "--reverse", "--topo-order", $"--max-count={MaxNewCommits + 1}", tip, "--not", "--glob=refs/heads/*"], ct));

    /// <summary>Commits of a range, parents first; the range may be long, so the number is bounded.</summary>
    public async Task<IReadOnlyList<string>> RangeAsync(string? from, string to, CancellationToken ct) =>
        Lines(await RunAsync(["rev-list", $"--max-count={MaxNewCommits * 20}", to, .. from is null ? Array.Empty<string>() : ["^" + from]], ct));

    public async Task<IReadOnlyList<CommitInfo>> CommitsAsync(IReadOnlyCollection<string> ids, CancellationToken ct)
    {
        if (ids.Count == 0) return [];
        var commits = await ParseCommitsAsync(ids, ct);
        var known = commits.ToDictionary(c => c.Id);
        var missing = commits.SelectMany(c => c.Parents).Where(p => !known.ContainsKey(p)).Distinct().ToList();
        if (missing.Count > 0)
        {
            foreach (var parent in await ParseCommitsAsync(missing, ct)) known[parent.Id] = parent;
        }
        return [.. commits.Select(c => c with { ParentSubjects = [.. c.Parents.Select(p => known[p].Subject)] })];
    }

    public async Task<CommitInfo> CommitAsync(string id, CancellationToken ct) => (await CommitsAsync([id], ct))[0];

    /// <summary>What a commit changes against its first parent, or against nothing.</summary>
    public Task<IReadOnlyList<FileChange>> FilesAsync(CommitInfo commit, CancellationToken ct) =>
        FilesAsync(commit.Parents.Count == 0 ? null : commit.Parents[0], commit.Id, ct);

    public async Task<IReadOnlyList<FileChange>> FilesAsync(string? from, string to, CancellationToken ct)
    {
        string[] range = from is null ? ["--root", to] : [from, to];
        var fields = (await RunAsync(["diff-tree", "-r", "-M", "-z", "--no-commit-id", "--raw", "--numstat", "--no-abbrev", .. range], ct))
            .Split('\0', StringSplitOptions.None);
        var (raw, counts) = ParseDiff(fields);
        if (raw.Count == 0) return [];
        var sizes = await SizesAsync(raw.SelectMany(r => new[] { r.OldBlob, r.NewBlob }), ct);
        return [.. raw.Select(r =>
        {
            var (inserted, deleted, binary) = counts.GetValueOrDefault(r.Path, (0, 0, false));
            return new FileChange(r.Path, r.Status, inserted, deleted)
            {
                OldPath = r.OldPath,
                OldMode = r.OldMode,
                NewMode = r.NewMode,
                Binary = binary,
                OldSize = sizes.GetValueOrDefault(r.OldBlob),
                Size = sizes.GetValueOrDefault(r.NewBlob),
            };
        })];
    }

    public async Task<byte[]?> ContentAsync(string commit, string path, CancellationToken ct)
    {
        try
        {
            return await GitProgram.BytesAsync(folder, ["cat-file", "blob", $"{commit}:{path}"], ct);
        }
        catch (GitFailedException)
        {
            return null;
        }
    }

    /// <summary>Writes a commit and returns its id.</summary>
    public async Task<string> WriteCommitAsync(string tree, IEnumerable<string> parents, (Signature Author, Signature Committer) by, string message, CancellationToken ct)
    {
        var text = new StringBuilder($"tree {tree}\n");
        foreach (var parent in parents) text.Append(CultureInfo.InvariantCulture, $"parent {parent}\n");
        text.Append(CultureInfo.InvariantCulture, $"author {Line(by.Author)}\ncommitter {Line(by.Committer)}\n\n{message}");
        return (await RunAsync(["hash-object", "-t", "commit", "-w", "--stdin"], ct, text.ToString())).Trim();
    }

    public static IReadOnlyList<string> Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string Line(Signature s) =>
        $"{s.Name} <{s.Email}> {s.Seconds} {(s.OffsetMinutes < 0 ? '-' : '+')}{Math.Abs(s.OffsetMinutes) / 60:00}{Math.Abs(s.OffsetMinutes) % 60:00}";

    private async Task<List<CommitInfo>> ParseCommitsAsync(IReadOnlyCollection<string> ids, CancellationToken ct)
    {
        var bytes = await GitProgram.BytesAsync(folder, ["cat-file", "--batch"], ct, PipeSource.FromString(string.Join('\n', ids) + "\n"));
        var commits = new List<CommitInfo>(ids.Count);
        var at = 0;
        while (at < bytes.Length)
        {
            var end = Array.IndexOf(bytes, (byte)'\n', at);
            var header = Encoding.ASCII.GetString(bytes, at, end - at).Split(' ');
            if (header is not [_, "commit", _]) throw new GitFailedException($"{header[0]} is not a commit of this repository");
            var size = int.Parse(header[2], CultureInfo.InvariantCulture);
            commits.Add(ParseCommit(header[0], Encoding.UTF8.GetString(bytes, end + 1, size)));
            at = end + 1 + size + 1;
        }
        return commits;
    }

    private static CommitInfo ParseCommit(string id, string text)
    {
        var split = text.IndexOf("\n\n", StringComparison.Ordinal);
        var headers = (split < 0 ? text : text[..split]).Split('\n');
        string Header(string name) => headers.FirstOrDefault(h => h.StartsWith(name + " ", StringComparison.Ordinal))?[(name.Length + 1)..] ?? "";
        var parents = headers.Where(h => h.StartsWith("parent ", StringComparison.Ordinal)).Select(h => h[7..]).ToList();
        return new CommitInfo(id, Header("tree"), parents, ParsePerson(Header("author")), ParsePerson(Header("committer")), split < 0 ? "" : text[(split + 2)..]);
    }

    private static Signature ParsePerson(string text)
    {
        var open = text.LastIndexOf('<');
        var close = text.LastIndexOf('>');
        if (open < 0 || close < open) return new Signature(text, "", 0, 0);
        var rest = text[(close + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var seconds = rest.Length > 0 && long.TryParse(rest[0], CultureInfo.InvariantCulture, out var s) ? s : 0;
        var zone = rest.Length > 1 && int.TryParse(rest[1], CultureInfo.InvariantCulture, out var z) ? (z / 100 * 60) + (z % 100) : 0;
        return new Signature(text[..open].Trim(), text[(open + 1)..close], seconds, zone);
    }

    private sealed record RawEntry(string Path, string? OldPath, string Status, int OldMode, int NewMode, string OldBlob, string NewBlob);

    private static (List<RawEntry> Raw, Dictionary<string, (int Inserted, int Deleted, bool Binary)> Counts) ParseDiff(string[] fields)
    {
        var raw = new List<RawEntry>();
        var counts = new Dictionary<string, (int, int, bool)>(StringComparer.Ordinal);
        for (var i = 0; i < fields.Length && fields[i].Length > 0; i++)
        {
            if (fields[i][0] == ':')
            {
                var head = fields[i][1..].Split(' ');
                var status = head[4][..1];
                var two = status is "R" or "C";
                var first = fields[++i];
                var path = two ? fields[++i] : first;
                raw.Add(new RawEntry(path, two ? first : null, status, Convert.ToInt32(head[0], 8), Convert.ToInt32(head[1], 8), head[2], head[3]));
                continue;
            }
            var count = fields[i].Split('\t', 3);
            var name = count[2];
            if (name.Length == 0)
            {
                name = fields[i + 2];
                i += 2;
            }
            counts[name] = count[0] == "-" ? (0, 0, true)
                : (int.Parse(count[0], CultureInfo.InvariantCulture), int.Parse(count[1], CultureInfo.InvariantCulture), false);
        }
        return (raw, counts);
    }

    private async Task<Dictionary<string, long>> SizesAsync(IEnumerable<string> blobs, CancellationToken ct)
    {
        var wanted = blobs.Where(b => b != CommitInfo.NoRevision).Distinct().ToList();
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        if (wanted.Count == 0) return sizes;
        foreach (var line in Lines(await RunAsync(["cat-file", "--batch-check=%(objectname) %(objectsize)"], ct, string.Join('\n', wanted) + "\n")))
        {
            // A submodule's commit is not here and has no size.
            if (line.Split(' ') is [var blob, var size] && long.TryParse(size, CultureInfo.InvariantCulture, out var bytes)) sizes[blob] = bytes;
        }
        return sizes;
    }
}
