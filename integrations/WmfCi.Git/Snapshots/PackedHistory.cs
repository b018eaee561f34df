using System.Text;
using CliWrap;
using CliWrap.Buffered;

namespace WmfCi.Git;

/// <summary>
/// A small <c>.git</c> for a snapshot: one pack with the commit's history, the tags in it, an index and a detached HEAD. Deltas are taken over from the mirror's
/// packs and none are looked for: that would make the bytes independent of how the mirror is packed, and take minutes on a large history.
/// </summary>
internal static class PackedHistory
{
    public static async Task Write(BareRepository repository, CommitData commit, (TarStream Tar, byte[] Folder) to, CancellationToken cancellationToken)
    {
        var work = Directory.CreateTempSubdirectory("wmfci-history-");
        try
        {
            var tags = await Tags(repository, commit, cancellationToken);
            var packs = Directory.CreateDirectory(Path.Combine(work.FullName, "objects", "pack"));
            await Git(repository, work.FullName, ["pack-objects", "--revs", "--quiet", "--threads=1", "--window=0", "--delta-base-offset", Path.Combine(packs.FullName, "pack")],
                string.Concat(tags.Select(tag => tag.Id).Prepend(commit.Id.ToString()).Select(id => id + "\n")), cancellationToken);
            await Git(repository, work.FullName, ["read-tree", "--index-output=" + Path.Combine(work.FullName, "index"), commit.Id.ToString()], null, cancellationToken);
            await File.WriteAllTextAsync(Path.Combine(work.FullName, "HEAD"), commit.Id + "\n", cancellationToken);
            await File.WriteAllTextAsync(Path.Combine(work.FullName, "config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n", cancellationToken);
            if (tags.Count > 0)
                await File.WriteAllTextAsync(
                    Path.Combine(work.FullName, "packed-refs"), "# pack-refs with: sorted\n" + string.Concat(tags.Select(tag => $"{tag.Id} {tag.Name}\n")), cancellationToken);
            // Where the repository's own history ends early, so does the snapshot's.
            var shallow = Path.Combine(repository.GitDirectory, "shallow");
            if (File.Exists(shallow)) File.Copy(shallow, Path.Combine(work.FullName, "shallow"));
            Directory.CreateDirectory(Path.Combine(work.FullName, "refs"));
            await Copy(work, to, cancellationToken);
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static async Task<List<(string Id, string Name)>> Tags(BareRepository repository, CommitData commit, CancellationToken cancellationToken)
    {
        var listed = await Git(repository, null, ["for-each-ref", "--merged=" + commit.Id, "--format=%(objectname) %(refname)", "refs/tags/"], null, cancellationToken);
        return [.. listed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => (line[..ObjectName.HexSize], line[(ObjectName.HexSize + 1)..]))
            .OrderBy(tag => tag.Item2, StringComparer.Ordinal)];
    }

    private static async Task Copy(DirectoryInfo from, (TarStream Tar, byte[] Folder) to, CancellationToken cancellationToken)
    {
        await to.Tar.Folder(to.Folder, cancellationToken);
        foreach (var item in from.EnumerateFileSystemInfos().OrderBy(item => item.Name, StringComparer.Ordinal))
        {
            byte[] path = [.. to.Folder, (byte)'/', .. Encoding.UTF8.GetBytes(item.Name)];
            if (item is DirectoryInfo folder)
            {
                await Copy(folder, (to.Tar, path), cancellationToken);
                continue;
            }

            await using var content = File.OpenRead(item.FullName);
            await to.Tar.File(path, content, cancellationToken);
        }
    }

    private static async Task<string> Git(BareRepository repository, string? work, string[] arguments, string? input, CancellationToken cancellationToken)
    {
        var result = await Cli.Wrap("git").WithArguments(["--git-dir=" + repository.GitDirectory, .. arguments])
            .WithEnvironmentVariables(env => env.Set("GIT_CONFIG_NOSYSTEM", "1").Set("GIT_CONFIG_GLOBAL", "/dev/null").Set("GIT_INDEX_FILE", work is null ? null : Path.Combine(work, "index")))
            .WithStandardInputPipe(input is null ? PipeSource.Null : PipeSource.FromString(input)).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        return result.ExitCode == 0 ? result.StandardOutput
            : throw new GitObjectException($"git {arguments[0]} failed: {GitPath.FromText(result.StandardError.Trim()).Quoted}");
    }
}
