using System.Security.Cryptography;
using System.Text;
using WmfCi.Core.Runs;
using WmfCi.LocalRunner.Sandboxes;
using WmfCi.Workspaces;

namespace WmfCi.LocalRunner;

/// <summary>
/// The files of one attempt:
/// <code>
/// attempts/KEY/disk/work            the workspace
/// attempts/KEY/disk/N/tmp, …/home   what step N has for itself
/// attempts/KEY/inputs               artifacts of earlier stages
/// attempts/KEY/etc, …/steps         accounts and scripts, read-only for the steps
/// attempts/KEY.lock                 held open, locked, by the process that runs it; its text names that process for people
/// attempts/KEY.stop                 there when somebody wants it stopped
/// reports/KEY.json                  how it ended
/// </code>
/// </summary>
internal sealed class AttemptFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly string _workFolder;
    private readonly int? _owner;

    private AttemptFolder(string workFolder, string key, int? owner) => (_workFolder, Key, _owner) = (workFolder, key, owner);

    /// <summary>The attempt's name as a file name: also its control group's and its containers'.</summary>
    public string Key { get; }

    public string Root => Path.Combine(_workFolder, "attempts", Key);

    public string Disk => Path.Combine(Root, "disk");

    public string Work => Path.Combine(Disk, "work");

    public string Inputs => Path.Combine(Root, "inputs");

    public string Lock => Root + ".lock";

    public string StopWish => Root + ".stop";

    public string Report => Path.Combine(_workFolder, "reports", Key + ".json");

    /// <summary>The folder of an attempt; nothing is made yet.</summary>
    /// <param name="workFolder">The runner's.</param>
    /// <param name="id">The attempt.</param>
    /// <param name="owner">Who owns what steps may write; null for this process's own user.</param>
    public static AttemptFolder Of(string workFolder, AttemptId id, int? owner)
    {
        // A stage's id may hold anything, so it takes part as a hash only; the folder does too, since control groups and containers are the whole machine's, and
        // another service on it counts its runs from 1 as well.
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{workFolder}\n{id}")));
        return new AttemptFolder(workFolder, $"{id.Run}-{id.Number}-{hash[..16]}", owner);
    }

    /// <summary>The folder of a key that was read from disk.</summary>
    public static AttemptFolder OfKey(string workFolder, string key) => new(workFolder, key, owner: null);

    /// <summary>Makes the folders that all attempts share.</summary>
    public static void Prepare(string workFolder)
    {
        foreach (var name in new[] { "", "attempts", "reports", "trash" }) Directory.CreateDirectory(Path.Combine(workFolder, name), OwnerOnly);
    }

    /// <summary>Makes the attempt's folders, and the few files of <c>/etc</c> that are its own.</summary>
    public void Create()
    {
        // Steps may pass through it by the path that the sandbox gives it; the folder above is closed to everybody else.
        foreach (var folder in new[] { Root, Disk, Inputs, Path.Combine(Root, "etc"), Path.Combine(Root, "steps") }) NativeFiles.MakePassable(folder);
        MakeOwned(Work);
        NativeFiles.WriteReadable(Path.Combine(Root, "etc", "passwd"), Accounts.Passwd(Sandbox.User, Sandbox.User));
        NativeFiles.WriteReadable(Path.Combine(Root, "etc", "group"), Accounts.Group(Sandbox.User, Sandbox.User));
        NativeFiles.WriteReadable(Path.Combine(Root, "etc", "hosts"), "127.0.0.1 localhost ci\n::1 localhost ci\n");
    }

    /// <summary>Makes the names of services known to whoever gets the attempt's <c>/etc/hosts</c>.</summary>
    public void NameServices(IEnumerable<string> names)
    {
        File.AppendAllText(Path.Combine(Root, "etc", "hosts"), string.Concat(names.Select(name => $"127.0.0.1 {name}\n")));
        // What is left of containers is looked for only where such a file is.
        File.WriteAllText(Path.Combine(Root, "services.pid"), "");
    }

    /// <summary>Makes what one step has for itself.</summary>
    /// <returns>The paths below <see cref="Root"/> of its script, its temporary folder and its home.</returns>
    public (string Script, string Temporary, string Home) CreateStep(int number, string script)
    {
        var own = Path.Combine("disk", $"{number}");
        NativeFiles.MakePassable(Path.Combine(Root, own));
        var (temporary, home, file) = (Path.Combine(own, "tmp"), Path.Combine(own, "home"), Path.Combine("steps", $"{number}"));
        MakeOwned(Path.Combine(Root, temporary));
        MakeOwned(Path.Combine(Root, home));
        NativeFiles.WriteReadable(Path.Combine(Root, file), script);
        return (file, temporary, home);
    }

    /// <summary>Moves the attempt's files out of the way at once; what is in the trash is removed later.</summary>
    /// <returns>Where they are now; null when there were none.</returns>
    public string? MoveToTrash()
    {
        if (!Directory.Exists(Root)) return null;
        var trash = Path.Combine(_workFolder, "trash", $"{Key}-{Guid.NewGuid():N}");
        Directory.Move(Root, trash);
        return trash;
    }

    /// <summary>Moves the workspace where it is kept.</summary>
    /// <returns>Where it is now; null when none is to be kept, or there is none.</returns>
    public string? KeepIn(string? folder)
    {
        if (folder is null || !Directory.Exists(Work)) return null;
        var kept = Path.Combine(Directory.CreateDirectory(folder, OwnerOnly).FullName, Key);
        Directory.Move(Work, kept);
        return kept;
    }

    private void MakeOwned(string folder)
    {
        Directory.CreateDirectory(folder, OwnerOnly);
        if (_owner is { } user) NativeFiles.GiveTo(folder, user);
    }
}
