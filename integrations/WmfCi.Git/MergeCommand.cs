namespace WmfCi.Git;

/// <summary>
/// <c>wmfci merge</c>: shows an operator what a merge would give. For each pair one line:
/// <c>tree ID</c>, <c>conflict PATH…</c> (paths quoted as git quotes them) or <c>error …</c>.
/// </summary>
public sealed class MergeCommand(MergeSettings settings)
{
    /// <summary>Everything merged or was merged already.</summary>
    public const int Success = 0;

    /// <summary>At least one pair conflicts.</summary>
    public const int HasConflicts = 1;

    /// <summary>At least one pair could not be tried.</summary>
    public const int HasErrors = 2;

    private const int MaxLine = 4096;

    /// <summary>Merges one pair, or every pair that <paramref name="input"/> has, a line each: <c>OURS THEIRS</c>.</summary>
    /// <param name="gitDirectory">A bare repository, a <c>.git</c> folder, or the folder above it.</param>
    /// <param name="pair">The commits, by id or by any revision that git understands; null to read pairs.</param>
    /// <param name="input">Read only without a pair; empty lines are passed over.</param>
    /// <param name="output">Gets the answers, each flushed when it is known, so that a program can ask and wait.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>The exit status: the worst that happened.</returns>
    public async Task<int> Run(string gitDirectory, (string Ours, string Theirs)? pair, TextReader input, TextWriter output, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        BareRepository repository;
        try
        {
            repository = BareRepository.Open(gitDirectory);
        }
        catch (Exception e) when (e is GitObjectException or ArgumentException or IOException)
        {
            return await Answer(output, HasErrors, "error " + OneLine(e.Message), cancellationToken);
        }

        using (repository)
        {
            if (pair is var (ours, theirs)) return await Merge(repository, [ours, theirs], output, cancellationToken);
            var worst = Success;
            while (await input.ReadLineAsync(cancellationToken) is { } line)
            {
                var words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                if (words.Length > 0) worst = Math.Max(worst, await Merge(repository, line.Length > MaxLine ? [] : words, output, cancellationToken));
            }

            return worst;
        }
    }

    private async Task<int> Merge(BareRepository repository, string[] words, TextWriter output, CancellationToken cancellationToken)
    {
        if (words.Length != 2) return await Answer(output, HasErrors, "error give two commits: OURS THEIRS", cancellationToken);
        var (status, line) = Merge(repository, (words[0], words[1]), cancellationToken);
        return await Answer(output, status, line, cancellationToken);
    }

    private (int Status, string Line) Merge(BareRepository repository, (string Ours, string Theirs) pair, CancellationToken cancellationToken)
    {
        try
        {
            return SpeculativeMerge.Run(repository, Commit(repository, pair.Ours), Commit(repository, pair.Theirs), settings, cancellationToken) switch
            {
                MergeResult.Merged merged => (Success, "tree " + merged.Tree),
                MergeResult.AlreadyMerged merged => (Success, "tree " + merged.Tree),
                MergeResult.Conflict { Paths.Length: > 0 } conflict => (HasConflicts, "conflict " + string.Join(' ', conflict.Paths.Select(path => path.Quoted))),
                MergeResult.Conflict conflict => (HasConflicts, "conflict " + GitPath.FromText(conflict.Reason).Quoted),
                MergeResult.NotFastForward refused => (HasConflicts, "conflict " + GitPath.FromText(refused.Reason).Quoted),
                var other => (HasErrors, "error unknown outcome " + other.GetType().Name),
            };
        }
        catch (Exception e) when (e is GitObjectException or LibGit2Sharp.LibGit2SharpException or ArgumentException)
        {
            return (HasErrors, "error " + OneLine(e.Message));
        }
    }

    private static string Commit(BareRepository repository, string revision)
    {
        if (ObjectName.TryParse(revision, out _)) return revision;
        using var sharp = new LibGit2Sharp.Repository(repository.GitDirectory);
        var commit = LibGit2Sharp.RepositoryExtensions.Lookup<LibGit2Sharp.Commit>(sharp, revision);
        return commit?.Sha ?? throw new GitObjectException($"there is no commit {GitPath.FromText(revision).Quoted}");
    }

    private static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));

    private static async Task<int> Answer(TextWriter output, int status, string line, CancellationToken cancellationToken)
    {
        await output.WriteLineAsync(line.AsMemory(), cancellationToken);
        await output.FlushAsync(cancellationToken);
        return status;
    }
}
