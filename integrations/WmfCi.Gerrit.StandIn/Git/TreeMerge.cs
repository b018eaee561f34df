using System.Text;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>A merge's tree, or the paths that conflict.</summary>
internal sealed record MergeResult(string? Tree, IReadOnlyList<string> Conflicts);

/// <summary>
/// A three-way merge of trees without a work tree and without any detection of renames, which is what the real server does; git's own
/// <c>merge-tree --write-tree</c> cannot be told to leave renames alone before git 2.50. A private index takes the trivial cases,
/// <c>merge-file</c> the files that both sides changed.
/// </summary>
internal sealed class TreeMerge(Repository repository, bool contentMerge)
{
    public async Task<MergeResult> MergeAsync(string @base, (string Ours, string Theirs) sides, CancellationToken ct)
    {
        var scratch = Directory.CreateTempSubdirectory("wmfci-merge-").FullName;
        try
        {
            var environment = new Dictionary<string, string?> { ["GIT_INDEX_FILE"] = Path.Combine(scratch, "index") };
            async Task<string> Git(string? input, params string[] arguments)
            {
                var (succeeded, output, error) = await GitProgram.TryAsync(repository.Folder, arguments, ct, input, environment);
                return succeeded ? output : throw new GitFailedException(error);
            }
            await Git(null, "read-tree", "-i", "-m", "--aggressive", @base, sides.Ours, sides.Theirs);
            var unmerged = Parse(await Git(null, "ls-files", "-u", "-z"));
            var conflicts = new List<string>();
            var resolved = new StringBuilder();
            foreach (var (path, stages) in unmerged)
            {
                var merged = await MergeFileAsync(scratch, stages, ct);
                if (merged is null) conflicts.Add(path);
                else resolved.Append($"0 {CommitInfo.NoRevision}\t{path}\0{merged}\t{path}\0");
            }
            if (conflicts.Count > 0) return new MergeResult(null, conflicts);
            if (resolved.Length > 0) await Git(resolved.ToString(), "update-index", "-z", "--index-info");
            return new MergeResult((await Git(null, "write-tree")).Trim(), []);
        }
        catch (GitFailedException)
        {
            // A file where the other side has a folder of that name: the index cannot hold both, and the real server refuses it too.
            return new MergeResult(null, ["a file and a folder of the same name"]);
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private sealed record Stage(string Mode, string Blob);

    private static SortedDictionary<string, Stage?[]> Parse(string listing)
    {
        var unmerged = new SortedDictionary<string, Stage?[]>(StringComparer.Ordinal);
        foreach (var entry in listing.Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            var tab = entry.IndexOf('\t', StringComparison.Ordinal);
            var head = entry[..tab].Split(' ');
            var path = entry[(tab + 1)..];
            if (!unmerged.TryGetValue(path, out var stages)) unmerged[path] = stages = new Stage?[3];
            stages[head[2][0] - '1'] = new Stage(head[0], head[1]);
        }
        return unmerged;
    }

    /// <summary>Mode and blob of a file that both sides changed; null when they cannot be put together.</summary>
    private async Task<string?> MergeFileAsync(string scratch, Stage?[] stages, CancellationToken ct)
    {
        if (!contentMerge || stages is not [{ } from, { } ours, { } theirs]) return null;
        if (!from.Mode.StartsWith("100", StringComparison.Ordinal) || !ours.Mode.StartsWith("100", StringComparison.Ordinal)
            || !theirs.Mode.StartsWith("100", StringComparison.Ordinal)) return null;
        var mode = ours.Mode == from.Mode ? theirs.Mode : ours.Mode;
        if (ours.Blob == theirs.Blob) return $"{mode} {ours.Blob}";
        if (from.Blob == theirs.Blob) return $"{mode} {ours.Blob}";
        if (from.Blob == ours.Blob) return $"{mode} {theirs.Blob}";
        var files = new[] { ("ours", ours), ("base", from), ("theirs", theirs) };
        foreach (var (name, stage) in files)
        {
            var bytes = await GitProgram.BytesAsync(repository.Folder, ["cat-file", "blob", stage.Blob], ct);
            await File.WriteAllBytesAsync(Path.Combine(scratch, name), bytes, ct);
        }
        var (clean, _, _) = await GitProgram.TryAsync(
            repository.Folder, ["merge-file", "-q", .. files.Select(f => Path.Combine(scratch, f.Item1))], ct);
        if (!clean) return null;
        var blob = await repository.RunAsync(["hash-object", "-w", "--no-filters", "--", Path.Combine(scratch, "ours")], ct);
        return $"{mode} {blob.Trim()}";
    }
}
