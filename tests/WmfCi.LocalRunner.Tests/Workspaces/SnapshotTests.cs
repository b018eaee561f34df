using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using WmfCi.Workspaces;

namespace WmfCi.LocalRunner.Tests.Workspaces;

public sealed class SnapshotTests : IDisposable
{
    private readonly string _outside = Directory.CreateTempSubdirectory("wmfci-snapshot-").FullName;

    private string Folder => Path.Combine(_outside, "work");

    public void Dispose() => Directory.Delete(_outside, recursive: true);

    [Fact]
    public void Files_folders_links_and_the_permission_to_run_come_out_as_they_went_in()
    {
        Unpack(tar =>
        {
            tar.WriteEntry(new PaxGlobalExtendedAttributesTarEntry(new Dictionary<string, string> { ["comment"] = "a commit" }));
            tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "src/"));
            tar.WriteEntry(File("src/a.c", "int a;"));
            tar.WriteEntry(File("./deep/er/b", ""));
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "run") { DataStream = Bytes("#!/bin/sh"), Mode = (UnixFileMode)0b111_101_101 });
            tar.WriteEntry(Link("link", "src/a.c"));
            tar.WriteEntry(Link("away", "/etc/passwd"));
            tar.WriteEntry(File("ünï\tcödé", "x"));
        });
        System.IO.File.ReadAllText(Path.Combine(Folder, "src/a.c")).ShouldBe("int a;");
        System.IO.File.Exists(Path.Combine(Folder, "deep/er/b")).ShouldBeTrue();
        System.IO.File.GetUnixFileMode(Path.Combine(Folder, "run")).HasFlag(UnixFileMode.UserExecute).ShouldBeTrue();
        System.IO.File.GetUnixFileMode(Path.Combine(Folder, "src/a.c")).HasFlag(UnixFileMode.UserExecute).ShouldBeFalse();
        new FileInfo(Path.Combine(Folder, "link")).LinkTarget.ShouldBe("src/a.c");
        new FileInfo(Path.Combine(Folder, "away")).LinkTarget.ShouldBe("/etc/passwd");
        System.IO.File.Exists(Path.Combine(Folder, "ünï\tcödé")).ShouldBeTrue();
    }

    [Theory]
    [InlineData("../escaped")]
    [InlineData("a/../../escaped")]
    [InlineData("/escaped")]
    [InlineData("a//b")]
    [InlineData("a/./b")]
    [InlineData("..")]
    public void A_path_that_leads_elsewhere_is_refused(string name)
    {
        Should.Throw<RefusedSnapshotException>(() => Unpack(tar => tar.WriteEntry(File(name, "x"))));
        Directory.EnumerateFileSystemEntries(_outside).ShouldBe([Folder]);
    }

    [Fact]
    public void Nothing_is_written_through_a_link_to_a_folder()
    {
        Should.Throw<RefusedSnapshotException>(() => Unpack(tar =>
        {
            tar.WriteEntry(Link("up", ".."));
            tar.WriteEntry(File("up/escaped", "x"));
        })).Message.ShouldContain("link");
        Directory.EnumerateFileSystemEntries(_outside).ShouldBe([Folder]);
    }

    [Theory]
    [InlineData("up")]
    [InlineData("up/")]
    public void Nothing_takes_the_place_of_a_link(string name)
    {
        Should.Throw<RefusedSnapshotException>(() => Unpack(tar =>
        {
            tar.WriteEntry(Link("up", "../escaped"));
            tar.WriteEntry(name.EndsWith('/') ? new PaxTarEntry(TarEntryType.Directory, name) : File(name, "x"));
        }));
        Directory.EnumerateFileSystemEntries(_outside).ShouldBe([Folder]);
    }

    [Theory]
    [InlineData(TarEntryType.HardLink)]
    [InlineData(TarEntryType.Fifo)]
    [InlineData(TarEntryType.CharacterDevice)]
    [InlineData(TarEntryType.BlockDevice)]
    public void Hard_links_pipes_and_devices_are_refused(TarEntryType kind)
    {
        var entry = new PaxTarEntry(kind, "thing");
        if (kind == TarEntryType.HardLink) entry.LinkName = "/etc/passwd";
        Should.Throw<RefusedSnapshotException>(() => Unpack(tar => tar.WriteEntry(entry)));
        Directory.EnumerateFileSystemEntries(Folder).ShouldBeEmpty();
    }

    [Fact]
    public void The_same_name_twice_is_refused() => Should.Throw<RefusedSnapshotException>(() => Unpack(tar =>
    {
        tar.WriteEntry(File("a", "1"));
        tar.WriteEntry(File("a", "2"));
    })).Message.ShouldContain("twice");

    [Fact]
    public void A_file_cannot_be_a_folder_as_well() => Should.Throw<RefusedSnapshotException>(() => Unpack(tar =>
    {
        tar.WriteEntry(File("a", "1"));
        tar.WriteEntry(File("a/b", "2"));
    }));

    [Fact]
    public void The_number_of_files_is_bounded() => Should.Throw<RefusedSnapshotException>(() => Unpack(tar =>
    {
        for (var i = 0; i < 11; i++) tar.WriteEntry(File($"{i}", ""));
    }, new SnapshotBounds { MaxEntries = 10 })).Message.ShouldContain("10");

    [Fact]
    public void The_bytes_of_all_files_are_bounded() => Should.Throw<RefusedSnapshotException>(() => Unpack(tar =>
    {
        for (var i = 0; i < 3; i++) tar.WriteEntry(File($"{i}", new string('x', 500)));
    }, new SnapshotBounds { MaxBytes = 1000 }));

    [Fact]
    public void A_small_snapshot_that_becomes_huge_is_refused() => Should.Throw<RefusedSnapshotException>(() => Unpack(
        tar => tar.WriteEntry(File("zeros", new string('\0', 50_000_000))),
        new SnapshotBounds { RatioFreeBytes = 1_000_000 })).Message.ShouldContain("1000 times");

    [Fact]
    public void Other_bytes_than_the_digest_names_are_the_stores_fault()
    {
        using var packed = Bench.Pack(tar => tar.WriteEntry(File("a", "x")));
        Should.Throw<IOException>(() => Unpack(packed, new string('0', 64))).Message.ShouldContain("other bytes");
        Directory.Delete(Folder, recursive: true);
        var bytes = packed.ToArray();
        var digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
        Should.Throw<IOException>(() => Unpack(new MemoryStream(bytes[..^9]), digest)).Message.ShouldContain("other bytes");
    }

    [Fact]
    public void What_is_no_archive_is_the_snapshots_fault()
    {
        var bytes = "this is no archive"u8.ToArray();
        Should.Throw<RefusedSnapshotException>(() => Unpack(new MemoryStream(bytes), Convert.ToHexStringLower(SHA256.HashData(bytes))));
    }

    private static PaxTarEntry File(string name, string text) => new(TarEntryType.RegularFile, name) { DataStream = Bytes(text) };

    private static PaxTarEntry Link(string name, string target) => new(TarEntryType.SymbolicLink, name) { LinkName = target };

    private static MemoryStream Bytes(string text) => new(Encoding.UTF8.GetBytes(text));

    private void Unpack(Action<TarWriter> write, SnapshotBounds? bounds = null)
    {
        using var packed = Bench.Pack(write);
        Unpack(packed, Convert.ToHexStringLower(SHA256.HashData(packed)), bounds);
    }

    private void Unpack(MemoryStream packed, string digest, SnapshotBounds? bounds = null)
    {
        packed.Position = 0;
        Directory.CreateDirectory(Folder);
        new SnapshotUnpacker(Folder, bounds ?? new SnapshotBounds(), owner: null).Unpack(packed, digest, Bench.Patience);
    }
}
