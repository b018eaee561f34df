using System.Text;
using CliWrap;

namespace WmfCi.Fakes;

/// <summary>Writes the stream that <c>git fast-import</c> reads: the fastest way to make many commits.</summary>
public sealed class GitFastImport : IDisposable
{
    private readonly MemoryStream stream = new();
    private int marks;

    /// <summary>Adds a commit.</summary>
    /// <param name="commit">What it says and where it stands; parents are marks that this method returned.</param>
    /// <param name="files">Its whole tree.</param>
    /// <returns>Its mark.</returns>
    public int Commit(GitFastImportCommit commit, IEnumerable<KeyValuePair<string, GitFile>> files) => Commit(commit, files, "deleteall");

    /// <summary>Adds a commit that says only what is new compared with its first parent; nothing is deleted.</summary>
    public int Change(GitFastImportCommit commit, IEnumerable<KeyValuePair<string, GitFile>> files) => Commit(commit, files, before: null);

    /// <summary>Sets a ref to a commit.</summary>
    public void Reset(string name, int mark)
    {
        Line("reset " + name);
        Line("from :" + mark);
        Line(string.Empty);
    }

    /// <summary>Makes the objects in a bare repository, which is initialised if it is not there.</summary>
    public async Task Run(string gitDirectory, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(Path.Combine(gitDirectory, "objects")))
            await Cli.Wrap("git").WithArguments(["init", "-q", "--bare", gitDirectory]).ExecuteAsync(cancellationToken);
        stream.Position = 0;
        await Cli.Wrap("git").WithArguments(["--git-dir=" + gitDirectory, "-c", "core.fsyncMethod=batch", "fast-import", "--quiet", "--force"])
            .WithStandardInputPipe(PipeSource.FromStream(stream)).ExecuteAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();

    private int Commit(GitFastImportCommit commit, IEnumerable<KeyValuePair<string, GitFile>> files, string? before)
    {
        var mark = ++marks;
        Line($"commit {commit.Ref}");
        Line($"mark :{mark}");
        Line($"author Fake <fake@example.org> {commit.Time} +0000");
        Line($"committer Fake <fake@example.org> {commit.Time} +0000");
        Data(Encoding.UTF8.GetBytes(commit.Message));
        for (var i = 0; i < commit.Parents.Count; i++) Line((i == 0 ? "from :" : "merge :") + commit.Parents[i]);
        if (before is not null) Line(before);
        foreach (var (path, file) in files)
        {
            if (file.Mode == GitFile.Submodule)
            {
                Line($"M 160000 {Encoding.ASCII.GetString(file.Content)} {path}");
                continue;
            }

            Line($"M {file.Mode} inline {path}");
            Data(file.Content);
        }

        return mark;
    }

    private void Data(ReadOnlySpan<byte> data)
    {
        Line($"data {data.Length}");
        stream.Write(data);
        Line(string.Empty);
    }

    private void Line(string text) => stream.Write(Encoding.UTF8.GetBytes(text + "\n"));
}

/// <summary>What a commit of <see cref="GitFastImport"/> says.</summary>
/// <param name="Ref">The ref that moves to it.</param>
/// <param name="Message">Its message.</param>
/// <param name="Time">Seconds since 1970.</param>
/// <param name="Parents">Marks of its parents.</param>
public sealed record GitFastImportCommit(string Ref, string Message, long Time, IReadOnlyList<int> Parents);

/// <summary>A file of a commit.</summary>
/// <param name="Mode">As git writes it: 100644, 100755, 120000, 160000.</param>
/// <param name="Content">The bytes; of a link its target, of a submodule the id in hexadecimal digits.</param>
public sealed record GitFile(string Mode, byte[] Content)
{
    /// <summary>An ordinary file.</summary>
    public const string Regular = "100644";

    /// <summary>A file that may be executed.</summary>
    public const string Executable = "100755";

    /// <summary>A symbolic link.</summary>
    public const string Link = "120000";

    /// <summary>A commit of another repository.</summary>
    public const string Submodule = "160000";

    /// <summary>A text file.</summary>
    public static GitFile Text(string content) => new(Regular, Encoding.UTF8.GetBytes(content));
}
