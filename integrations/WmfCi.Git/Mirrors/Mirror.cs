using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace WmfCi.Git;

/// <summary>
/// Bare mirrors of projects, in a folder. Fetches go through the git program; everything else reads the objects in process.
/// For use by several threads at once; several processes may share the folder.
/// </summary>
public sealed class Mirror : IDisposable
{
    /// <summary>At most so many refs in one fetch.</summary>
    public const int MaxRefs = 1000;

    /// <summary>Objects that nothing leads to are removed by <see cref="MaintainAsync"/> after this: merges that were tried and are history.</summary>
    public const string UnreachableKeptFor = "14.days.ago";

    private static readonly string[] Schemes = ["http", "https", "ssh", "file"];
    private static readonly TimeSpan LockRetry = TimeSpan.FromMilliseconds(20);
    private readonly MirrorOptions options;
    private readonly TimeProvider time;
    private readonly string root;
    private readonly GitProgram git;
    private readonly ConcurrentDictionary<string, SemaphoreSlim> locks = new(StringComparer.Ordinal);

    /// <summary>Prepares the folder and writes git's configuration (with the password, readable by this account alone) into it.</summary>
    /// <exception cref="ArgumentException">The settings cannot be used; the message says which and why.</exception>
    public Mirror(MirrorOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!Uri.TryCreate(options.BaseUrl, UriKind.Absolute, out var address) || !Schemes.Contains(address.Scheme, StringComparer.Ordinal))
            throw new ArgumentException("BaseUrl must be an address that begins with http, https, ssh or file", nameof(options));
        if (address.UserInfo.Contains(':', StringComparison.Ordinal) || (address.UserInfo.Length > 0 && address.Scheme != "ssh"))
            throw new ArgumentException("BaseUrl must not hold an account or password: use UserName and Password", nameof(options));
        if (options.UserName is not null && !address.Scheme.StartsWith("http", StringComparison.Ordinal)) throw new ArgumentException("UserName is for http and https only", nameof(options));
        if (options.SshConfigFile?.IndexOfAny(['\'', '"', '\\', '\r', '\n', '\0']) >= 0) throw new ArgumentException("SshConfigFile must not hold quotes or line ends", nameof(options));
        if (options.BaseUrl.Any(char.IsControl)) throw new ArgumentException("BaseUrl must not hold control characters", nameof(options));
        (this.options, this.time, root) = (options, time, Path.GetFullPath(options.Folder));
        git = GitProgram.Prepare(options);
    }

    /// <summary>Whether Gerrit would let a project have this name; the other methods refuse what it would not.</summary>
    public static bool IsProjectName(string project) => project is not null && ProjectName.IsValid(project);

    /// <summary>The folder of a project's mirror, whether it exists or not. Always below <see cref="MirrorOptions.Folder"/>.</summary>
    /// <exception cref="ArgumentException">Not the name of a project.</exception>
    public string FolderOf(string project)
    {
        if (!IsProjectName(project)) throw new ArgumentException($"{GitPath.FromText(project ?? string.Empty).Quoted} is not a valid name of a Gerrit project", nameof(project));
        return Path.Combine(root, ProjectName.ToPath(project));
    }

    /// <summary>Opens a project's mirror to read and merge in.</summary>
    /// <exception cref="GitObjectException">Nothing has been fetched yet.</exception>
    public BareRepository Open(string project) => BareRepository.Open(FolderOf(project));

    /// <summary>Fetches the named refs, all in one exchange, and nothing else; the first fetch makes the mirror.</summary>
    /// <param name="project">The project's name in Gerrit.</param>
    /// <param name="refs">Full names: <c>refs/heads/main</c>, <c>refs/changes/45/12345/6</c>. They get the same names in the mirror, and move without being asked.</param>
    /// <param name="cancellationToken">Stops git.</param>
    /// <returns>The object id that each ref has now.</returns>
    /// <exception cref="GitFetchException">It failed, and why.</exception>
    public async Task<ImmutableDictionary<string, string>> FetchAsync(string project, IReadOnlyCollection<string> refs, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(refs);
        var folder = FolderOf(project);
        if (refs.Count is 0 or > MaxRefs) throw new ArgumentException($"Name at least one ref and at most {MaxRefs}", nameof(refs));
        foreach (var one in refs)
            if (!one.StartsWith("refs/", StringComparison.Ordinal) || !LibGit2Sharp.Reference.IsValidName(one) || one.Any(char.IsControl))
                throw new ArgumentException($"{GitPath.FromText(one).Quoted} is not the full name of a ref", nameof(refs));
        return await Locked(folder, token => Fetch(project, folder, refs, token), cancellationToken);
    }

    /// <summary>Packs a mirror and removes what is long unreachable. Takes a while on a large one; run it when little happens.</summary>
    /// <exception cref="GitFetchException">git could not do it.</exception>
    public async Task MaintainAsync(string project, CancellationToken cancellationToken)
    {
        var folder = FolderOf(project);
        if (!Directory.Exists(folder)) return;
        _ = await Locked(
            folder,
            async token =>
            {
                var (status, _, error) = await git.Run(["--git-dir=" + folder, "gc", "--quiet", "--prune=" + UnreachableKeptFor], null, token);
                return status == 0 ? status : throw new GitFetchException(GitFetchErrorKind.Other, $"git gc failed: {error}");
            },
            cancellationToken);
    }

    /// <summary>Forgets the locks; the mirrors stay.</summary>
    public void Dispose()
    {
        foreach (var one in locks.Values) one.Dispose();
    }

    private async Task<ImmutableDictionary<string, string>> Fetch(string project, string folder, IReadOnlyCollection<string> refs, CancellationToken cancellationToken)
    {
        if (!File.Exists(Path.Combine(folder, "HEAD"))) await Initialise(folder, cancellationToken);
        RemoveStaleLocks(folder, refs);
        string[] arguments =
        [
            "--git-dir=" + folder, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-show-forced-updates", "--no-recurse-submodules", "--refmap=",
            "--end-of-options", $"{options.BaseUrl.TrimEnd('/')}/{ProjectName.ToUrlPath(project)}", .. refs.Select(one => $"+{one}:{one}"),
        ];
        var (status, _, error) = await git.Run(arguments, null, cancellationToken);
        if (status != 0) throw new GitFetchException(FetchErrors.KindOf(error), $"Fetching {string.Join(", ", refs.Take(3))} of {project} failed: {error}");
        using var repository = new LibGit2Sharp.Repository(folder);
        return refs.Distinct(StringComparer.Ordinal).ToImmutableDictionary(one => one, one => repository.Refs[one].ResolveToDirectReference().TargetIdentifier, StringComparer.Ordinal);
    }

    private async Task Initialise(string folder, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var (status, _, error) = await git.Run(["init", "--quiet", "--bare", "--template=", "--end-of-options", folder], null, cancellationToken);
        if (status != 0) throw new GitFetchException(GitFetchErrorKind.Other, $"The mirror cannot be made: {error}");
    }

    // A git that was killed leaves its own locks behind, and every later one would refuse to work. Nobody else writes while we hold the mirror's lock.
    private static void RemoveStaleLocks(string folder, IReadOnlyCollection<string> refs)
    {
        foreach (var one in refs.Append("packed-refs").Append("config"))
            if (Path.Combine(folder, one + ".lock") is var stale && File.Exists(stale)) File.Delete(stale);
    }

    private async Task<T> Locked<T>(string folder, Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(options.Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var gate = locks.GetOrAdd(folder, _ => new SemaphoreSlim(1, 1));
        try
        {
            await gate.WaitAsync(both.Token);
            try
            {
                await using var file = await LockFile(folder, both.Token);
                return await work(both.Token);
            }
            finally
            {
                gate.Release();
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new GitFetchException(GitFetchErrorKind.Timeout, $"git did not finish within {options.Timeout}", e);
        }
    }

    // Between processes: the system frees it when the holder dies.
    private async Task<FileStream> LockFile(string folder, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return new FileStream(Path.Combine(folder, "wmfci.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException))
            {
                await Task.Delay(LockRetry, time, cancellationToken);
            }
        }
    }
}
