namespace WmfCi.Git;

/// <summary>A working tree cannot be recorded. The message says why, and what to do; safe to show.</summary>
public sealed class WorkTreeException(string message) : Exception(message);

/// <summary>
/// A developer's working tree as a commit: tracked files as they are now, staged or not, and untracked ones that nothing ignores. It is recorded beside their
/// repository, in a folder of its own that borrows the repository's objects: their index, references and objects stay as they were.
/// </summary>
/// <remarks>The user's own settings apply (line ends, filters, what is ignored), since they decide what a commit of theirs would hold.</remarks>
public sealed class WorkTree : IDisposable
{
    private const string Identity = "wmfci local";
    private const string Address = "wmfci@localhost";
    private readonly DirectoryInfo _own;

    private WorkTree(WorkTreeGit git, DirectoryInfo own) => (Root, _own, Git) = (git.Folder, own, git);

    /// <summary>The top of the working tree.</summary>
    public string Root { get; }

    /// <summary>The commit of what is there now: HEAD itself where nothing differs from it, else a commit on top of it that is the same for the same files.</summary>
    public string Commit { get; private set; } = "";

    /// <summary>Its tree.</summary>
    public string Tree { get; private set; } = "";

    /// <summary>The commit that is checked out; null in a repository without any.</summary>
    public string? Head { get; private set; }

    /// <summary>What the code review calls the repository: what <c>.gitreview</c> says, else the end of the remote's address, else the folder's name.</summary>
    public string Project { get; private set; } = "";

    /// <summary>The branch that the work is for: the one that it tracks, else what <c>.gitreview</c> says, else the one that is checked out.</summary>
    public string Branch { get; private set; } = "";

    /// <summary>Where the commit can be read. It ends with the recording.</summary>
    public BareRepository Repository { get; private set; } = null!;

    private WorkTreeGit Git { get; }

    /// <summary>Records a working tree.</summary>
    /// <param name="folder">The working tree, or any folder in it.</param>
    /// <param name="cancellationToken">Gives up; nothing is left behind.</param>
    /// <exception cref="WorkTreeException">There is none, or git cannot record it.</exception>
    public static async Task<WorkTree> RecordAsync(string folder, CancellationToken cancellationToken)
    {
        var git = await WorkTreeGit.FindAsync(folder, cancellationToken);
        var made = new WorkTree(git, Directory.CreateTempSubdirectory("wmfci-local-"));
        try
        {
            await made.RecordAsync(cancellationToken);
            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    /// <summary>Reads one of the user's settings, those of the repository that a folder is in included where it is in one.</summary>
    /// <returns>Null where it is not set.</returns>
    public static Task<string?> SettingAsync(string folder, string name, CancellationToken cancellationToken) => WorkTreeGit.At(folder).TryAsync(["config", "--get", name], cancellationToken);

    /// <summary>Removes what was recorded; the working tree stays.</summary>
    public void Dispose()
    {
        Repository?.Dispose();
        _own.Delete(recursive: true);
    }

    private async Task RecordAsync(CancellationToken cancellationToken)
    {
        var paths = await Git.LinesAsync(["rev-parse", "--path-format=absolute", "--git-path", "objects", "--git-path", "index", "--git-path", "shallow", "--show-object-format"], cancellationToken);
        if (paths is not [var objects, var index, var shallow, var format]) throw new WorkTreeException($"The paths of the repository of {Root} have line breaks; move it.");
        if (format != "sha1") throw new WorkTreeException($"The repository of {Root} names its objects by {format}; only sha1 is understood.");
        await BorrowAsync(objects, shallow, cancellationToken);
        // With the times that the index knows, git looks only into files that were touched.
        var ownIndex = Path.Combine(_own.FullName, "index");
        if (File.Exists(index)) File.Copy(index, ownIndex);
        var beside = new Dictionary<string, string?>(StringComparer.Ordinal) { ["GIT_INDEX_FILE"] = ownIndex, ["GIT_OBJECT_DIRECTORY"] = Path.Combine(_own.FullName, "objects") };
        await Git.RunAsync(["-c", "advice.addEmbeddedRepo=false", "-c", "core.safecrlf=false", "add", "--all", "--", ":/"], beside, cancellationToken);
        Tree = (await Git.RunAsync(["write-tree"], beside, cancellationToken)).Trim();
        Head = await Git.TryAsync(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], cancellationToken);
        Commit = await CommitAsync(beside, cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(_own.FullName, "HEAD"), Commit + "\n", cancellationToken);
        Repository = BareRepository.Open(_own.FullName);
        await DescribeAsync(cancellationToken);
    }

    private async Task BorrowAsync(string objects, string shallow, CancellationToken cancellationToken)
    {
        var info = Directory.CreateDirectory(Path.Combine(_own.FullName, "objects", "info"));
        await File.WriteAllTextAsync(Path.Combine(info.FullName, "alternates"), objects + "\n", cancellationToken);
        Directory.CreateDirectory(Path.Combine(_own.FullName, "refs"));
        await File.WriteAllTextAsync(Path.Combine(_own.FullName, "config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n", cancellationToken);
        if (File.Exists(shallow)) File.Copy(shallow, Path.Combine(_own.FullName, "shallow"));
        // The tags go along with a history.
        var tags = await Git.RunAsync(["for-each-ref", "--format=%(objectname) %(refname)", "refs/tags/"], [], cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(_own.FullName, "packed-refs"), "# pack-refs with: sorted\n" + tags, cancellationToken);
    }

    private async Task<string> CommitAsync(Dictionary<string, string?> beside, CancellationToken cancellationToken)
    {
        if (Head is not null && await Git.TryAsync(["rev-parse", "--verify", "--quiet", Head + "^{tree}"], cancellationToken) == Tree) return Head;
        var date = Head is null ? "@0 +0000" : "@" + (await Git.RunAsync(["show", "--no-patch", "--no-show-signature", "--format=%ct", Head], [], cancellationToken)).Trim() + " +0000";
        var variables = new Dictionary<string, string?>(beside, StringComparer.Ordinal)
        {
            ["GIT_AUTHOR_NAME"] = Identity,
            ["GIT_AUTHOR_EMAIL"] = Address,
            ["GIT_AUTHOR_DATE"] = date,
            ["GIT_COMMITTER_NAME"] = Identity,
            ["GIT_COMMITTER_EMAIL"] = Address,
            ["GIT_COMMITTER_DATE"] = date,
        };
        string[] parents = Head is null ? [] : ["-p", Head];
        return (await Git.RunAsync(["commit-tree", .. parents, "-m", "Uncommitted changes", Tree], variables, cancellationToken)).Trim();
    }

    private async Task DescribeAsync(CancellationToken cancellationToken)
    {
        var current = await Git.TryAsync(["symbolic-ref", "--quiet", "--short", "HEAD"], cancellationToken);
        var tracked = current is null ? null : await Git.TryAsync(["config", "--get", $"branch.{current}.merge"], cancellationToken);
        Branch = (tracked?.StartsWith("refs/heads/", StringComparison.Ordinal) == true ? tracked["refs/heads/".Length..] : null)
            ?? await OfReviewAsync("defaultbranch", cancellationToken) ?? current ?? "HEAD";
        var remote = current is null ? null : await Git.TryAsync(["config", "--get", $"branch.{current}.remote"], cancellationToken);
        var address = await Git.TryAsync(["config", "--get", $"remote.{remote ?? "origin"}.url"], cancellationToken);
        Project = WithoutSuffix(await OfReviewAsync("project", cancellationToken) ?? ProjectOf(address) ?? Path.GetFileName(Root));
    }

    private Task<string?> OfReviewAsync(string key, CancellationToken cancellationToken) =>
        Git.TryAsync(["config", "--file", Path.Combine(Root, ".gitreview"), "--get", "gerrit." + key], cancellationToken);

    // ssh://host:29418/PROJECT, https://host/r/a/PROJECT, host:PROJECT. What stands before the project on a web server cannot be known; Gerrit's own is left out.
    private static string? ProjectOf(string? address)
    {
        if (string.IsNullOrEmpty(address)) return null;
        var path = Uri.TryCreate(address, UriKind.Absolute, out var url) && url.Scheme.Length > 1 && !url.IsFile && address.Contains("://", StringComparison.Ordinal) ? Uri.UnescapeDataString(url.AbsolutePath)
            : address.StartsWith('/') || !address.Contains(':', StringComparison.Ordinal) ? Path.GetFileName(address.TrimEnd('/')) : address[(address.IndexOf(':', StringComparison.Ordinal) + 1)..];
        path = path.Trim('/');
        foreach (var prefix in new[] { "r/", "a/" })
            if (path.StartsWith(prefix, StringComparison.Ordinal)) path = path[prefix.Length..];
        return path.Length == 0 ? null : path;
    }

    private static string WithoutSuffix(string project) => project.EndsWith(".git", StringComparison.Ordinal) ? project[..^".git".Length] : project;
}
