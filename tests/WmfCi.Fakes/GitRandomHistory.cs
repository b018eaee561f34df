using System.Globalization;
using System.Text;

namespace WmfCi.Fakes;

/// <summary>
/// A random history with two tips, the same for the same seed: a branch and a change of one commit. Both change the same few files in ways that are hard for
/// a merge: adjacent edits, repeated lines, renames, deletions, modes, links, submodules, binaries, files that become folders and back, crossed merges.
/// </summary>
public sealed class GitRandomHistory
{
    private static readonly string[] Words = ["if x:", "end", "}", string.Empty, "return", "{", "\tcall()", "else"];
    private readonly Random random;
    private readonly GitFastImport import;
    private readonly string name;
    private long time = 1_700_000_000;
    private int fresh;

    private GitRandomHistory(int seed, string name, GitFastImport import)
    {
        (random, this.name, this.import) = (new Random(seed), name, import);
        Seed = seed;
        ChangeId = "I" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{name}/{seed}"))))[..40];
    }

    /// <summary>What it was made of.</summary>
    public int Seed { get; }

    /// <summary>Gerrit's <c>Change-Id</c> of the change.</summary>
    public string ChangeId { get; }

    /// <summary>Whether the histories cross, so that there are several merge bases.</summary>
    public bool Crossed { get; private set; }

    /// <summary>The ref of the branch's tip.</summary>
    public string OursRef => $"refs/heads/ours-{name}";

    /// <summary>The ref of the change.</summary>
    public string TheirsRef => $"refs/heads/theirs-{name}";

    /// <summary>Adds a history to the stream.</summary>
    /// <param name="seed">Decides everything.</param>
    /// <param name="name">Distinguishes its refs from those of others.</param>
    /// <param name="import">Where it goes.</param>
    public static GitRandomHistory Add(int seed, string name, GitFastImport import)
    {
        var history = new GitRandomHistory(seed, name, import);
        history.Make();
        return history;
    }

    private void Make()
    {
        var files = Start();
        var root = Commit("root", files, []);
        Crossed = random.Next(5) == 0;
        if (!Crossed)
        {
            var (ours, theirs) = (Changed(files, random.Next(1, 5)), Changed(files, random.Next(1, 5)));
            if (random.Next(3) == 0) Copy(theirs, ours);
            Finish((ours, [root]), (theirs, [root]));
            return;
        }

        var tips = Fork(files, root);
        if (random.Next(3) == 0) tips = Cross(tips);
        var (left, right) = (Mixed(tips), Mixed(tips));
        Finish((left, [.. tips.Select(tip => tip.Mark)]), (right, [.. tips.Select(tip => tip.Mark).Reverse()]));
    }

    private List<(Dictionary<string, GitFile> Files, int Mark)> Fork(Dictionary<string, GitFile> files, int root)
    {
        var tips = new List<(Dictionary<string, GitFile>, int)>();
        for (var count = random.Next(6) == 0 ? 3 : 2; count > 0; count--)
        {
            var changed = Changed(files, random.Next(1, 4));
            tips.Add((changed, Commit("side", changed, [root])));
        }

        return tips;
    }

    private List<(Dictionary<string, GitFile> Files, int Mark)> Cross(List<(Dictionary<string, GitFile> Files, int Mark)> tips)
    {
        var (left, right) = (Mixed(tips), Mixed(tips));
        int[] parents = [.. tips.Select(tip => tip.Mark)];
        return [(left, Commit("left", left, parents)), (right, Commit("right", right, [.. parents.Reverse()]))];
    }

    // Somebody's idea of a merge: each path from one of the tips, now and then something more.
    private Dictionary<string, GitFile> Mixed(List<(Dictionary<string, GitFile> Files, int Mark)> tips)
    {
        var mixed = new Dictionary<string, GitFile>(tips[random.Next(tips.Count)].Files, StringComparer.Ordinal);
        foreach (var path in tips.SelectMany(tip => tip.Files.Keys).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList())
            if (random.Next(3) == 0 && tips[random.Next(tips.Count)].Files.TryGetValue(path, out var file))
                Put(mixed, path, file);
        return random.Next(2) == 0 ? Changed(mixed, 1) : mixed;
    }

    private void Finish((Dictionary<string, GitFile> Files, int[] Parents) ours, (Dictionary<string, GitFile> Files, int[] Parents) theirs)
    {
        // The branch is always ahead, so that a merge is due.
        Put(ours.Files, "branch.txt", GitFile.Text("the branch\n"));
        import.Reset(OursRef, Commit("ours", ours.Files, ours.Parents));
        Put(theirs.Files, "change.txt", GitFile.Text("the change\n"));
        import.Reset(TheirsRef, Commit("theirs\n\nChange-Id: " + ChangeId, theirs.Files, theirs.Parents));
    }

    private int Commit(string message, Dictionary<string, GitFile> files, int[] parents)
    {
        if (random.Next(3) > 0) time += random.Next(1, 100); // some in the same second
        return import.Commit(
            new GitFastImportCommit($"refs/heads/work-{name}", FormattableString.Invariant($"{Seed} {message}"), time, parents), files.OrderBy(file => file.Key, StringComparer.Ordinal));
    }

    private Dictionary<string, GitFile> Start()
    {
        var files = new Dictionary<string, GitFile>(StringComparer.Ordinal);
        for (var i = random.Next(3, 7); i > 0; i--) Put(files, Name(), GitFile.Text(Text(random.Next(1, 30))));
        for (var i = random.Next(2, 5); i > 0; i--) Put(files, "d/" + Name(), GitFile.Text(Text(random.Next(1, 12))));
        for (var i = random.Next(0, 3); i > 0; i--) Put(files, "d/e/" + Name(), GitFile.Text(Text(5)));
        Put(files, "bin", Binary());
        Put(files, "link", new GitFile(GitFile.Link, Encoding.UTF8.GetBytes("a")));
        Put(files, "sub", Submodule());
        if (random.Next(12) == 0) Put(files, "many", GitFile.Text(string.Concat(Enumerable.Range(0, 300).Select(_ => Words[random.Next(3)] + "\n"))));
        return files;
    }

    private Dictionary<string, GitFile> Changed(Dictionary<string, GitFile> from, int times)
    {
        var files = new Dictionary<string, GitFile>(from, StringComparer.Ordinal);
        for (; times > 0; times--) Change(files);
        return files;
    }

    private void Change(Dictionary<string, GitFile> files)
    {
        if (files.Count == 0)
        {
            Put(files, Name(), GitFile.Text(Text(3)));
            return;
        }

        var path = files.Keys.Order(StringComparer.Ordinal).ElementAt(random.Next(files.Count));
        var file = files[path];
        switch (random.Next(20))
        {
            case < 9: files[path] = Edited(file); break;
            case 9: files.Remove(path); break;
            case 10: files[path] = file with { Mode = file.Mode switch { GitFile.Regular => GitFile.Executable, GitFile.Executable => GitFile.Regular, var other => other } }; break;
            case 11: Rename(files, path, Name()); break;
            case 12: Rename(files, path, "d/" + Name()); break;
            case 13: Put(files, Name(), GitFile.Text(Text(random.Next(1, 6)))); break;
            case 14: Put(files, path + "/" + Name(), file); break; // a file becomes a folder
            case 15: Put(files, path.Contains('/', StringComparison.Ordinal) ? path[..path.IndexOf('/', StringComparison.Ordinal)] : "d", GitFile.Text(Text(3))); break; // and back
            case 16: Put(files, path, new GitFile(GitFile.Link, Encoding.UTF8.GetBytes("to-" + random.Next(4)))); break;
            case 17: Put(files, path, random.Next(2) == 0 ? Submodule() : Binary()); break;
            case 18: RenameFolder(files); break;
            default: Put(files, "d", null); break; // a folder goes
        }
    }

    private GitFile Edited(GitFile file)
    {
        if (file.Mode is GitFile.Submodule) return Submodule();
        if (file.Mode is GitFile.Link) return file with { Content = Encoding.UTF8.GetBytes("to-" + random.Next(4)) };
        if (file.Content.Contains((byte)0)) return Binary() with { Mode = file.Mode };
        var lines = Encoding.UTF8.GetString(file.Content).Split('\n').ToList();
        var at = random.Next(lines.Count);
        switch (random.Next(8))
        {
            case 0: lines.Insert(at, Line()); break;
            case 1: lines.RemoveAt(at); break;
            case 2: lines[at] = Line(); break;
            case 3: lines.InsertRange(at, lines.GetRange(at, Math.Min(3, lines.Count - at))); break; // a repetition
            case 4: lines.RemoveRange(at, Math.Min(random.Next(1, 6), lines.Count - at)); break;
            case 5: lines.InsertRange(at, [Line(), Line(), Line()]); break;
            case 6: lines[^1] = lines[^1].Length == 0 ? "no newline" : string.Empty; break;
            default: (lines[at], lines[0]) = (lines[0], lines[at]); break;
        }

        return file with { Content = random.Next(25) == 0 ? [] : Encoding.UTF8.GetBytes(string.Join('\n', lines)) };
    }

    private void Copy(Dictionary<string, GitFile> from, Dictionary<string, GitFile> to)
    {
        // The same change on both sides.
        var path = from.Keys.Order(StringComparer.Ordinal).ElementAt(random.Next(from.Count));
        Put(to, path, from[path]);
    }

    private static void Rename(Dictionary<string, GitFile> files, string from, string to)
    {
        var file = files[from];
        files.Remove(from);
        Put(files, to, file);
    }

    private static void RenameFolder(Dictionary<string, GitFile> files)
    {
        foreach (var path in files.Keys.Where(path => path.StartsWith("d/", StringComparison.Ordinal)).ToList()) Rename(files, path, "f" + path[1..]);
    }

    // A path is a file or a folder, not both: what is in the way goes. Null removes the folder.
    private static void Put(Dictionary<string, GitFile> files, string path, GitFile? file)
    {
        foreach (var below in files.Keys.Where(other => other.StartsWith(path + "/", StringComparison.Ordinal)).ToList()) files.Remove(below);
        for (var end = path.IndexOf('/', StringComparison.Ordinal); end > 0; end = path.IndexOf('/', end + 1)) files.Remove(path[..end]);
        if (file is not null) files[path] = file;
    }

    // Names whose order differs between file and folder: "d", "d-x", "d.c", "d/".
    private string Name() => random.Next(8) switch { 0 => "d-x", 1 => "d.c", 2 => "ä", var other => ((char)('a' + other)).ToString() };

    private string Text(int lines) => string.Concat(Enumerable.Range(0, lines).Select(_ => Line() + "\n"));

    private string Line() => random.Next(3) > 0 ? Words[random.Next(Words.Length)] : string.Create(CultureInfo.InvariantCulture, $"line {fresh++}");

    private GitFile Binary() => new(GitFile.Regular, [.. Enumerable.Range(0, 40).Select(_ => (byte)random.Next(256)), 0]);

    private GitFile Submodule() => new(GitFile.Submodule, Encoding.ASCII.GetBytes(Convert.ToHexStringLower([.. Enumerable.Repeat((byte)random.Next(1, 200), 20)])));
}
