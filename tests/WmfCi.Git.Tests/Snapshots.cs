using System.Formats.Tar;
using System.Text;
using CliWrap;
using CliWrap.Buffered;
using WmfCi.Fakes;
using ZstdSharp;
using static WmfCi.Git.Tests.Three;

namespace WmfCi.Git.Tests;

public sealed class Snapshots
{
    private const string Long = "a-folder-with-a-name-that-is-rather-long/and-one-more-that-is-rather-long-too/so-that-together-they-exceed-what-a-tar-header-holds/file";

    [Fact]
    public async Task Hold_files_links_modes_and_empty_folders_for_submodules()
    {
        using var three = await One();
        var (tar, summary) = await Write(three, SnapshotOptions.Default);
        Listed(tar).ShouldBe(["-.gitmodules 644", $"d{Long.Split('/')[0]}/ 755", $"d{string.Join('/', Long.Split('/')[..2])}/ 755", $"d{string.Join('/', Long.Split('/')[..3])}/ 755", $"-{Long} 644", "lé->../x 777", "-run 755", "dsub/ 755"], ignoreOrder: true);
        summary.Files.ShouldBe(4);
        var sub = summary.Submodules.ShouldHaveSingleItem();
        (sub.Path.Text, sub.Commit[..4], sub.Url).ShouldBe(("sub", "1111", "../other"));
    }

    [Fact]
    public async Task Are_the_same_bytes_for_the_same_tree()
    {
        using var one = await One();
        using var two = await One();
        (await Write(one, SnapshotOptions.Default)).Tar.ShouldBe((await Write(two, SnapshotOptions.Default)).Tar);
    }

    [Fact]
    public async Task Unpack_with_tar_to_what_git_has()
    {
        using var three = await One();
        using var folder = await Unpacked(three, SnapshotOptions.Default);
        (await File.ReadAllTextAsync(folder.At(Long), Token)).ShouldBe("deep\n");
        new FileInfo(folder.At("lé")).LinkTarget.ShouldBe("../x");
        Directory.EnumerateFileSystemEntries(folder.At("sub")).ShouldBeEmpty();
    }

    [Fact]
    public async Task With_history_are_repositories_in_which_log_status_and_describe_work()
    {
        using var three = await One();
        await Git(three.Path, "-c", "user.name=x", "-c", "user.email=x@example.org", "tag", "-a", "-m", "one", "v1.0", "refs/heads/root");
        var options = new SnapshotOptions { IncludeHistory = true };
        using var folder = await Unpacked(three, options);
        (await Git(folder.At(".git"), "log", "--format=%s")).ShouldBe("ours\nroot\n");
        (await Git(folder.At(".git"), "describe")).ShouldMatch("^v1.0-1-g[0-9a-f]+\n$");
        (await Git(folder.At(".git"), "--work-tree=" + folder.Path, "status", "--porcelain")).ShouldBe(string.Empty);
        (await Write(three, options)).Tar.ShouldBe((await Write(three, options)).Tar);
    }

    [Fact]
    public async Task Names_in_another_encoding_arrive_as_they_are()
    {
        using var three = await One();
        var blob = three.Repository.Stage(ObjectKind.Blob, "x"u8.ToArray());
        var tree = three.Repository.Stage(ObjectKind.Tree, TreeEntry.Format([new TreeEntry(TreeEntry.FileMode, (byte[])[0xE9], blob)]));
        three.Repository.Store(tree);
        var commit = new CommitWriter(three.Repository, MergeSettings.Default)
            .Move(tree, three.Repository.Commit(ObjectName.Parse(three.Ours)), three.Repository.Commit(ObjectName.Parse(three.Ours)));
        using var stream = new MemoryStream();
        await SourceSnapshot.Write(three.Repository, commit.Id.ToString(), stream, SnapshotOptions.Default, Token);
        Plain(stream.ToArray())[..2].ShouldBe([0xE9, 0]);
    }

    [Fact]
    public async Task Refuse_more_than_is_allowed_before_anything_is_written()
    {
        using var three = await One();
        foreach (var options in new[] { new SnapshotOptions { MaxFiles = 3 }, new SnapshotOptions { MaxBytes = 10 }, new SnapshotOptions { MaxPathBytes = 20 } })
        {
            using var stream = new MemoryStream();
            await Should.ThrowAsync<SnapshotTooLargeException>(() => SourceSnapshot.Write(three.Repository, three.Ours, stream, options, Token));
            stream.Length.ShouldBe(0);
        }
    }

    [Theory]
    [InlineData("..")]
    [InlineData(".GIT")]
    [InlineData("a/b")]
    public async Task Refuse_names_that_would_leave_the_folder(string name)
    {
        using var three = await One();
        var blob = three.Repository.Stage(ObjectKind.Blob, []);
        var tree = three.Repository.Stage(ObjectKind.Tree, TreeEntry.Format([new TreeEntry(TreeEntry.FileMode, Encoding.UTF8.GetBytes(name), blob)]));
        Should.Throw<GitObjectException>(() => SourceFiles.Walk(three.Repository, tree, 4096, 10)).Message.ShouldContain("cannot be a file");
    }

    [Fact]
    public async Task A_single_file_can_be_read_from_a_commit()
    {
        using var three = await One();
        Encoding.UTF8.GetString(SourceFiles.ReadFile(three.Repository, three.Ours, Long, 100)!).ShouldBe("deep\n");
        SourceFiles.ReadFile(three.Repository, three.Ours, "nothing", 100).ShouldBeNull();
        SourceFiles.ReadFile(three.Repository, three.Ours, "lé", 100).ShouldBeNull();
        SourceFiles.ReadFile(three.Repository, three.Ours, Long.Split('/')[0], 100).ShouldBeNull();
        SourceFiles.ReadFile(three.Repository, three.Ours, "run/x", 100).ShouldBeNull();
        Should.Throw<SnapshotTooLargeException>(() => SourceFiles.ReadFile(three.Repository, three.Ours, Long, 4));
    }

    [Fact]
    public async Task Changed_paths_are_files_also_where_a_folder_came_or_went()
    {
        using var three = await Make(Files(("a", "1\n")), Files(("a", "1\n"), ("d/x", "1\n"), ("d/y", "1\n")), Files(("a", "1\n"), ("d", "1\n")));
        SourceFiles.ChangedPaths(three.Repository, three.Ours, three.Theirs, 10).Select(path => path.Text).ShouldBe(["d", "d/x", "d/y"]);
        SourceFiles.ChangedPaths(three.Repository, null, three.Theirs, 10).Select(path => path.Text).ShouldBe(["a", "d"]);
        Should.Throw<SnapshotTooLargeException>(() => SourceFiles.ChangedPaths(three.Repository, null, three.Theirs, 1));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static Task<Three> One() => Make(
        Files(("x", "1\n")),
        new(StringComparer.Ordinal)
        {
            [".gitmodules"] = GitFile.Text("[submodule \"s\"]\n\tpath = sub\n\turl = ../other\n"),
            [Long] = GitFile.Text("deep\n"),
            ["lé"] = new(GitFile.Link, "../x"u8.ToArray()),
            ["run"] = new(GitFile.Executable, "#!\n"u8.ToArray()),
            ["sub"] = new(GitFile.Submodule, Encoding.ASCII.GetBytes(new string('1', 40))),
        },
        Files(("x", "2\n")));

    private static async Task<(byte[] Tar, SnapshotSummary Summary)> Write(Three three, SnapshotOptions options)
    {
        using var stream = new MemoryStream();
        var summary = await SourceSnapshot.Write(three.Repository, three.Ours, stream, options, Token);
        return (Plain(stream.ToArray()), summary);
    }

    private static byte[] Plain(byte[] compressed)
    {
        using var plain = new MemoryStream();
        using var stream = new DecompressionStream(new MemoryStream(compressed), leaveOpen: false);
        stream.CopyTo(plain);
        return plain.ToArray();
    }

    private static List<string> Listed(byte[] tar)
    {
        using var reader = new TarReader(new MemoryStream(tar));
        var found = new List<string>();
        while (reader.GetNextEntry() is { } entry)
        {
            entry.ModificationTime.ToUnixTimeSeconds().ShouldBe(0);
            var kind = entry.EntryType switch { TarEntryType.Directory => "d", TarEntryType.SymbolicLink => string.Empty, _ => "-" };
            found.Add($"{kind}{entry.Name}{(entry.EntryType == TarEntryType.SymbolicLink ? "->" + entry.LinkName : string.Empty)} {Convert.ToString((int)entry.Mode, 8)}");
        }

        return found;
    }

    private static async Task<TemporaryFolder> Unpacked(Three three, SnapshotOptions options)
    {
        var folder = new TemporaryFolder();
        var (tar, _) = await Write(three, options);
        await Cli.Wrap("tar").WithArguments(["-x", "-C", folder.Path]).WithStandardInputPipe(PipeSource.FromBytes(tar)).ExecuteAsync(Token);
        return folder;
    }

    private static async Task<string> Git(string gitDirectory, params string[] arguments) =>
        (await Cli.Wrap("git").WithArguments(["--git-dir=" + gitDirectory, .. arguments]).ExecuteBufferedAsync(Token)).StandardOutput;
}
