using System.Security.Cryptography;
using System.Text;
using WmfCi.ObjectStore;
using WmfCi.Ports;

namespace WmfCi.LocalRunner.Tests.Store;

public sealed class FolderStoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("wmfci-store-").FullName;

    private static CancellationToken Patience => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Bytes_are_found_again_by_their_sha256()
    {
        var store = new FolderStore(_folder);
        var blob = await store.PutAsync(Text("hello"), 100, Patience);
        blob.ShouldBe(new Blob("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", 5));
        await using var stream = (await store.OpenAsync(blob.Digest, Patience))!;
        stream.CanSeek.ShouldBeTrue();
        (await ReadAsync(stream)).ShouldBe("hello");
        File.Exists(Path.Combine(_folder, "sha256", "2c", "f2", blob.Digest)).ShouldBeTrue();
    }

    [Fact]
    public async Task Another_opening_of_the_same_folder_has_the_same_bytes()
    {
        var blob = await new FolderStore(_folder).PutAsync(Text("x"), 1, Patience);
        await using var stream = await new FolderStore(_folder).OpenAsync(blob.Digest, Patience);
        stream.ShouldNotBeNull();
    }

    [Fact]
    public async Task Nothing_at_all_can_be_stored_too()
    {
        var blob = await new FolderStore(_folder).PutAsync(Text(""), 0, Patience);
        blob.Size.ShouldBe(0);
    }

    [Fact]
    public async Task The_same_bytes_again_are_harmless_while_somebody_reads_them()
    {
        var store = new FolderStore(_folder);
        var first = await store.PutAsync(Text("same"), 100, Patience);
        await using var stream = (await store.OpenAsync(first.Digest, Patience))!;
        (await store.PutAsync(Text("same"), 100, Patience)).ShouldBe(first);
        (await ReadAsync(stream)).ShouldBe("same");
        Files().Count.ShouldBe(1);
    }

    [Fact]
    public async Task Many_writers_at_once_leave_one_whole_file()
    {
        var content = RandomNumberGenerator.GetBytes(1_000_000);
        var stores = Enumerable.Range(0, 4).Select(_ => new FolderStore(_folder)).ToList();
        var blobs = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => stores[i % 4].PutAsync(new MemoryStream(content), content.Length, Patience))));
        blobs.Distinct().Count().ShouldBe(1);
        (await File.ReadAllBytesAsync(Files().ShouldHaveSingleItem(), Patience)).ShouldBe(content);
    }

    [Fact]
    public async Task More_than_the_bound_is_refused_and_leaves_nothing()
    {
        var error = await Should.ThrowAsync<BlobTooLargeException>(() => new FolderStore(_folder).PutAsync(Text("12345"), 4, Patience));
        error.MaxBytes.ShouldBe(4);
        Files().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stream_that_breaks_leaves_nothing()
    {
        await Should.ThrowAsync<InvalidDataException>(() => new FolderStore(_folder).PutAsync(new BrokenStream(), 100, Patience));
        Files().ShouldBeEmpty();
    }

    [Fact]
    public async Task Giving_up_leaves_nothing()
    {
        using var given = new CancellationTokenSource();
        await given.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => new FolderStore(_folder).PutAsync(Text("x"), 100, given.Token));
        Files().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData("../../../../etc/passwd")]
    [InlineData("2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824")]
    [InlineData("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b982")]
    [InlineData("..f24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")]
    [InlineData("/cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")]
    public async Task What_is_no_digest_names_nothing(string digest)
    {
        var store = new FolderStore(_folder);
        await store.PutAsync(Text("hello"), 100, Patience);
        (await store.OpenAsync(digest, Patience)).ShouldBeNull();
        FolderStore.IsDigest(digest).ShouldBeFalse();
    }

    [Fact]
    public async Task An_unknown_digest_names_nothing() => (await new FolderStore(_folder).OpenAsync(new string('a', 64), Patience)).ShouldBeNull();

    [Fact]
    public async Task What_crashes_left_is_removed_when_it_is_old_and_what_is_written_now_is_not()
    {
        _ = new FolderStore(_folder);
        var (old, young) = (Path.Combine(_folder, "unfinished", "old"), Path.Combine(_folder, "unfinished", "young"));
        await File.WriteAllTextAsync(old, "x", Patience);
        await File.WriteAllTextAsync(young, "x", Patience);
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow - FolderStore.LeftoverAge - TimeSpan.FromMinutes(1));
        _ = new FolderStore(_folder);
        File.Exists(old).ShouldBeFalse();
        File.Exists(young).ShouldBeTrue();
    }

    [Fact]
    public async Task A_file_that_was_cut_is_mended_by_storing_its_bytes_again()
    {
        var store = new FolderStore(_folder);
        var blob = await store.PutAsync(Text("whole"), 100, Patience);
        await File.WriteAllTextAsync(Files()[0], "who", Patience);
        await store.PutAsync(Text("whole"), 100, Patience);
        await using var stream = (await store.OpenAsync(blob.Digest, Patience))!;
        (await ReadAsync(stream)).ShouldBe("whole");
    }

    [Fact]
    public async Task A_full_disk_says_so_and_leaves_nothing()
    {
        Needs.Root();
        Needs.Run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", _folder);
        try
        {
            var store = new FolderStore(_folder);
            var error = await Should.ThrowAsync<IOException>(() => store.PutAsync(new MemoryStream(new byte[1_000_000]), 2_000_000, Patience));
            error.Message.ShouldContain("is full");
            error.Message.ShouldContain(_folder);
            Files().ShouldBeEmpty();
        }
        finally
        {
            Needs.Run("umount", _folder);
        }
    }

    [Fact]
    public async Task Only_the_owner_may_read_the_store()
    {
        await new FolderStore(_folder).PutAsync(Text("x"), 1, Patience);
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        (File.GetUnixFileMode(Path.Combine(_folder, "sha256")) & others).ShouldBe(UnixFileMode.None);
        (File.GetUnixFileMode(Files()[0]) & others).ShouldBe(UnixFileMode.None);
    }

    private static MemoryStream Text(string text) => new(Encoding.UTF8.GetBytes(text));

    private static async Task<string> ReadAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, leaveOpen: true);
        return await reader.ReadToEndAsync(Patience);
    }

    private List<string> Files() => [.. Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories)];

    private sealed class BrokenStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw new InvalidDataException("broken");
    }
}
