namespace WmfCi.Fakes;

/// <summary>A bare repository as large as the largest that matter (50,000 files in 1,050 folders), with a branch and two changes, for benchmarks.</summary>
public static class GitLargeRepository
{
    /// <summary>How many files it has if nothing else is said.</summary>
    public const int DefaultFiles = 50_000;

    /// <summary>The branch, with one commit more than the changes know.</summary>
    public const string Branch = "refs/heads/main";

    /// <summary>A change that merges cleanly, by lines in one file.</summary>
    public const string Clean = "refs/heads/clean";

    /// <summary>A change that conflicts with the branch in one file.</summary>
    public const string Conflicting = "refs/heads/conflicting";

    private const int FilesPerFolder = 50;
    private const int FoldersPerModule = 20;

    /// <summary>Makes it; takes a few seconds.</summary>
    /// <param name="gitDirectory">Where; must not exist or be an empty bare repository.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <param name="files">How many files.</param>
    public static async Task Make(string gitDirectory, CancellationToken cancellationToken, int files = DefaultFiles)
    {
        using var import = new GitFastImport();
        var root = import.Commit(
            new GitFastImportCommit("refs/heads/root", "root", 1000, []), Enumerable.Range(0, files).Select(number => KeyValuePair.Create(Path(number), GitFile.Text(Text(number)))));
        import.Reset(Branch, Change(import, root, ("main", [(0, 1, "branch"), (files / 2, 1, "branch"), (files - 1, 1, "branch")])));
        import.Reset(Clean, Change(import, root, ("clean", [(0, 18, "change"), (files / 2, 18, "change"), (files / 3, 1, "change")])));
        import.Reset(Conflicting, Change(import, root, ("conflicting", [(files / 2, 1, "change"), (7, 1, "change")])));
        await import.Run(gitDirectory, cancellationToken);
    }

    private static int Change(GitFastImport import, int parent, (string Name, (int File, int Line, string Text)[] Edits) change)
    {
        var changed = new Dictionary<string, GitFile>(StringComparer.Ordinal);
        foreach (var (file, line, text) in change.Edits)
        {
            var lines = Text(file).Split('\n');
            lines[line] = text;
            changed[Path(file)] = GitFile.Text(string.Join('\n', lines));
        }

        return import.Change(new GitFastImportCommit("refs/heads/work-" + change.Name, change.Name, 2000, [parent]), changed);
    }

    private static string Path(int number)
    {
        var folder = number / FilesPerFolder;
        return FormattableString.Invariant($"module-{folder / FoldersPerModule:D2}/folder-{folder % FoldersPerModule:D2}/file-{number:D5}.txt");
    }

    private static string Text(int number) => string.Concat(Enumerable.Range(0, 20).Select(line => FormattableString.Invariant($"file {number} line {line}: the quick brown fox\n")));
}
