using System.Text;
using WmfCi.Fakes;

namespace WmfCi.Git.Tests;

/// <summary>A base and two sides, merged: the smallest story about a merge.</summary>
internal sealed class Three : IDisposable
{
    private readonly TemporaryFolder folder;
    private readonly BareRepository repository;

    private Three(TemporaryFolder folder)
    {
        (this.folder, repository) = (folder, BareRepository.Open(folder.Path));
        using var sharp = new LibGit2Sharp.Repository(folder.Path);
        (Ours, Theirs) = (sharp.Refs["refs/heads/ours"].TargetIdentifier, sharp.Refs["refs/heads/theirs"].TargetIdentifier);
    }

    public string Ours { get; }

    public string Theirs { get; }

    public BareRepository Repository => repository;

    public static Dictionary<string, GitFile> Files(params (string Path, string Text)[] files) =>
        files.ToDictionary(file => file.Path, file => GitFile.Text(file.Text), StringComparer.Ordinal);

    public static async Task<Three> Make(Dictionary<string, GitFile> original, Dictionary<string, GitFile> ours, Dictionary<string, GitFile> theirs)
    {
        using var import = new GitFastImport();
        var root = import.Commit(new GitFastImportCommit("refs/heads/root", "root", 1000, []), original);
        import.Reset("refs/heads/ours", import.Commit(new GitFastImportCommit("refs/heads/o", "ours", 2000, [root]), ours));
        import.Reset("refs/heads/theirs", import.Commit(new GitFastImportCommit("refs/heads/t", "theirs\n\nmore", 3000, [root]), theirs));
        return await Make(import);
    }

    /// <summary>From a stream that sets refs/heads/ours and refs/heads/theirs.</summary>
    public static async Task<Three> Make(GitFastImport import)
    {
        var made = new TemporaryFolder();
        await import.Run(made.Path, TestContext.Current.CancellationToken);
        return new Three(made);
    }

    public string Path => folder.Path;

    /// <summary>What became of it, in one text: <c>path=content</c> separated by blanks, or <c>conflict: paths</c>. Line ends show as |.</summary>
    public static async Task<string> Merge(Dictionary<string, GitFile> original, Dictionary<string, GitFile> ours, Dictionary<string, GitFile> theirs, bool content = true)
    {
        using var three = await Make(original, ours, theirs);
        return three.Merge(new MergeSettings { UseContentMerge = content });
    }

    public string Merge(MergeSettings? settings = null) => Shown(SpeculativeMerge.Run(repository, Ours, Theirs, settings ?? MergeSettings.Default));

    public string Shown(MergeResult result) => result switch
    {
        MergeResult.Merged merged => string.Join(' ', SourceFiles.Walk(repository, ObjectName.Parse(merged.Tree), 4096, 1000).Where(file => !file.Entry.IsTree).Select(Shown)),
        MergeResult.Conflict conflict => "conflict: " + string.Join(' ', conflict.Paths),
        var other => other.GetType().Name,
    };

    public void Dispose()
    {
        repository.Dispose();
        folder.Dispose();
    }

    private string Shown((byte[] Path, TreeEntry Entry) file)
    {
        var mode = file.Entry.CanonicalMode switch { TreeEntry.ExecutableMode => "*", TreeEntry.SymlinkMode => "->", TreeEntry.GitlinkMode => "@", _ => string.Empty };
        var content = file.Entry.IsGitlink ? file.Entry.Id.ToString()[..4] : Encoding.UTF8.GetString(repository.Read(file.Entry.Id, ObjectKind.Blob));
        return $"{Encoding.UTF8.GetString(file.Path)}{mode}={content.Replace('\n', '|')}";
    }
}
