using System.Security.Cryptography;
using System.Text.Json;
using WmfCi.Gerrit.StandIn.Git;

namespace WmfCi.Gerrit.StandIn.Model;

/// <summary>
/// One Gerrit: its facts, its people, its repositories and its listeners. Everything that reads or changes facts does so inside
/// <see cref="ExclusivelyAsync{T}"/>, so that a request sees and leaves a whole state; git does the slow part (unpacking) outside.
/// </summary>
internal sealed class Site : IDisposable
{
    private static readonly JsonSerializerOptions Storage = new() { WriteIndented = false };
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly string? factsFile;
    private bool changed;

    public Site(StandInOptions options, string folder)
    {
        Options = options;
        Folder = folder;
        Accounts = new Accounts(options.Users);
        Started = Now;
        factsFile = options.StateFolder is null ? null : Path.Combine(folder, "gerrit.json");
        Facts = factsFile is not null && File.Exists(factsFile)
            ? JsonSerializer.Deserialize<Facts>(File.ReadAllText(factsFile), Storage) ?? new Facts()
            : new Facts();
    }

    public StandInOptions Options { get; }
    public string Folder { get; }
    public Facts Facts { get; }
    public Accounts Accounts { get; }
    public EventStreams Events { get; } = new();
    public DateTimeOffset Started { get; }

    /// <summary>The canonical address without a slash at the end; known once the server listens.</summary>
    public string Url { get; set; } = "";
    public int SshPort { get; set; }

    /// <summary>Gerrit keeps whole seconds.</summary>
    public DateTimeOffset Now => DateTimeOffset.FromUnixTimeSeconds(Options.Time.GetUtcNow().ToUnixTimeSeconds());

    public Repository Repository(string project) => new(Path.Combine(Folder, "git", project + ".git"));

    public string AddressOf(Change change) => $"{Url}/c/{change.Project}/+/{change.Number}";

    public Project? Project(string name) => Facts.Projects.GetValueOrDefault(name);

    public static string NewRevision() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(20));

    /// <summary>Runs one request alone, stores what it changed, and returns when every listener has been handed the events.</summary>
    public async Task<T> ExclusivelyAsync<T>(Func<Task<T>> work, CancellationToken ct)
    {
        T result;
        await gate.WaitAsync(ct);
        try
        {
            result = await work();
        }
        finally
        {
            // A request that failed half way may have changed something before: what is in memory is what must be on disk.
            if (changed) Save();
            changed = false;
            gate.Release();
        }
        await Events.HandedOverAsync(ct);
        return result;
    }

    /// <summary>Marks the facts as changed, for things that are no change's.</summary>
    public void Touch() => changed = true;

    /// <summary>Gives a change its next meta revision and time, and returns the event that says so.</summary>
    public System.Text.Json.Nodes.JsonObject Touch(Change change, Account actor)
    {
        changed = true;
        var old = change.MetaRev;
        change.MetaRev = NewRevision();
        change.Updated = Now;
        return EventShapes.RefUpdated(actor, change.Project, change.RefPrefix + "meta", (old, change.MetaRev), Now);
    }

    public void Dispose() => gate.Dispose();

    private void Save()
    {
        if (factsFile is null) return;
        var next = factsFile + ".new";
        // Whole or not at all when the process is killed; forcing it onto the disk would cost a sandbox more than its power is worth.
        using (var stream = new FileStream(next, FileMode.Create, FileAccess.Write)) JsonSerializer.Serialize(stream, Facts, Storage);
        File.Move(next, factsFile, overwrite: true);
    }
}
