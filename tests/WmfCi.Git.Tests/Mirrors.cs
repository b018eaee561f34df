using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using WmfCi.Fakes;

namespace WmfCi.Git.Tests;

public sealed class Mirrors : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("operations/puppet")]
    [InlineData("All-Projects")]
    [InlineData("-rf")]
    [InlineData("--upload-pack=x")]
    [InlineData("a b")]
    [InlineData("über/größe/日本")]
    [InlineData(".hidden")]
    [InlineData("a..b")]
    public void Names_that_Gerrit_takes_have_a_folder_below_the_root(string project)
    {
        using var mirror = Mirror();
        var path = mirror.FolderOf(project);
        Path.GetFullPath(path).ShouldBe(path);
        path.ShouldStartWith(folder.At("mirrors") + "/");
        path[folder.At("mirrors").Length..].ShouldMatch("^(/[A-Za-z0-9_%][A-Za-z0-9._%-]*)+\\.git$");
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("../etc")]
    [InlineData("a/../b")]
    [InlineData("a/./b")]
    [InlineData("/etc/passwd")]
    [InlineData("a//b")]
    [InlineData("a/")]
    [InlineData("a\0b")]
    [InlineData("a\nb")]
    [InlineData("a.git/hooks")]
    [InlineData("C:\\x")]
    [InlineData("a~1")]
    [InlineData("a%2e")]
    public void Names_that_Gerrit_refuses_are_refused(string project)
    {
        using var mirror = Mirror();
        WmfCi.Git.Mirror.IsProjectName(project).ShouldBeFalse();
        Should.Throw<ArgumentException>(() => mirror.FolderOf(project));
    }

    [Fact]
    public void What_is_not_Unicode_is_refused() => WmfCi.Git.Mirror.IsProjectName("lone" + (char)0xD800).ShouldBeFalse();

    [Fact]
    public void Different_names_have_different_folders()
    {
        using var mirror = Mirror();
        string[] names = ["a", "a/b", "A", "-a", ".a", "a.", "é", "e\u0301", new string('x', 400), new string('x', 399) + "y", "a b", "a+b"];
        names.Select(mirror.FolderOf).Distinct(StringComparer.Ordinal).Count().ShouldBe(names.Length);
    }

    [Fact]
    public async Task The_first_fetch_makes_the_mirror_and_brings_only_what_is_named()
    {
        await Source("some/project");
        using var mirror = Mirror();
        var ids = await mirror.FetchAsync("some/project", ["refs/heads/main", "refs/changes/45/12345/6"], Token);
        using var repository = mirror.Open("some/project");
        repository.Commit(ObjectName.Parse(ids["refs/changes/45/12345/6"])).Parents.ShouldHaveSingleItem().ToString().ShouldBe(ids["refs/heads/main"]);
        using var sharp = new LibGit2Sharp.Repository(mirror.FolderOf("some/project"));
        sharp.Refs.Select(one => one.CanonicalName).ShouldBe(["refs/changes/45/12345/6", "refs/heads/main"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_ref_that_was_rewritten_is_taken_as_it_is_now()
    {
        await Source("p");
        using var mirror = Mirror();
        var before = await mirror.FetchAsync("p", ["refs/heads/main"], Token);
        await Source("p", "other");
        (await mirror.FetchAsync("p", ["refs/heads/main"], Token)).ShouldNotBe(before);
    }

    [Fact]
    public async Task Fetches_of_one_mirror_at_the_same_time_all_work_also_from_two_processes_views()
    {
        await Source("p");
        using var one = Mirror();
        using var two = Mirror();
        var all = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => (i % 2 == 0 ? one : two).FetchAsync("p", ["refs/heads/main"], Token)));
        all.Select(ids => ids["refs/heads/main"]).Distinct(StringComparer.Ordinal).Count().ShouldBe(1);
    }

    [Fact]
    public async Task Locks_that_a_killed_git_left_are_no_obstacle()
    {
        await Source("p");
        using var mirror = Mirror();
        var leftover = Path.Combine(mirror.FolderOf("p"), "refs/heads/main.lock");
        Directory.CreateDirectory(Path.GetDirectoryName(leftover)!);
        await File.WriteAllTextAsync(leftover, string.Empty, Token);
        (await mirror.FetchAsync("p", ["refs/heads/main"], Token)).ShouldContainKey("refs/heads/main");
    }

    [Fact]
    public async Task What_is_not_there_is_not_found()
    {
        await Source("p");
        using var mirror = Mirror();
        (await Failure(mirror, "p", "refs/heads/nothing")).Kind.ShouldBe(GitFetchErrorKind.NotFound);
        (await Failure(mirror, "absent", "refs/heads/main")).Kind.ShouldBe(GitFetchErrorKind.NotFound);
    }

    [Theory]
    [InlineData("main")]
    [InlineData("refs/heads/a..b")]
    [InlineData("refs/heads/*")]
    [InlineData("--upload-pack=touch /tmp/x")]
    [InlineData("refs/heads/a:refs/heads/b")]
    [InlineData("+refs/heads/main")]
    public async Task Only_full_names_of_refs_are_taken(string name)
    {
        using var mirror = Mirror();
        await Should.ThrowAsync<ArgumentException>(() => mirror.FetchAsync("p", [name], Token));
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_unreachable_and_no_message_has_the_password()
    {
        var options = Options("http://127.0.0.1:1") with { UserName = "bot", Password = "s3cret\"/+" };
        using var mirror = new Mirror(options, TimeProvider.System);
        var failure = await Failure(mirror, "p", "refs/heads/main");
        failure.Kind.ShouldBe(GitFetchErrorKind.Unreachable);
        failure.IsTransient.ShouldBeTrue();
        failure.ToString().ShouldNotContain("s3cret");
        options.ToString().ShouldNotContain("s3cret");
    }

    [Fact]
    public async Task The_password_goes_with_the_first_request_is_in_a_private_file_and_in_no_argument()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        // Nobody else's: other processes may show a password of the same letters, such as this test itself beside it.
        var password = Guid.NewGuid().ToString("N");
        var header = Convert.ToBase64String(Encoding.UTF8.GetBytes("bot:" + password));
        using var mirror = new Mirror(Options($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/r/a") with { UserName = "bot", Password = password }, TimeProvider.System);
        var fetch = Failure(mirror, "p", "refs/heads/main");
        using var client = await listener.AcceptTcpClientAsync(Token);
        var arguments = Directory.GetFiles("/proc", "cmdline", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, IgnoreInaccessible = true });
        foreach (var file in arguments) Readable(file).ShouldNotContain(password);
        using var reader = new StreamReader(client.GetStream());
        var request = new List<string>();
        while (await reader.ReadLineAsync(Token) is { Length: > 0 } line) request.Add(line);
        request[0].ShouldStartWith("GET /r/a/p/info/refs");
        request.ShouldContain("Authorization: Basic " + header);
        await client.GetStream().WriteAsync("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray(), Token);
        (await fetch).Kind.ShouldBe(GitFetchErrorKind.Denied);
        var holder = Directory.GetFiles(folder.At("mirrors"), "*", SearchOption.AllDirectories).Where(file => Readable(file).Contains(header, StringComparison.Ordinal)).ShouldHaveSingleItem();
        if (!OperatingSystem.IsWindows()) File.GetUnixFileMode(holder).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task A_server_that_never_answers_ends_in_a_timeout()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var time = new FakeTimeProvider();
        var options = Options($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        using var mirror = new Mirror(options, time);
        var fetch = Failure(mirror, "p", "refs/heads/main");
        using var client = await listener.AcceptTcpClientAsync(Token);
        fetch.IsCompleted.ShouldBeFalse();
        time.Advance(options.Timeout);
        (await fetch).Kind.ShouldBe(GitFetchErrorKind.Timeout);
    }

    [Theory]
    [InlineData("ext::sh -c id")]
    [InlineData("git://example.org")]
    [InlineData("https://user:password@example.org")]
    [InlineData("relative/path")]
    public void Other_addresses_are_refused(string address) =>
        Should.Throw<ArgumentException>(() => new Mirror(Options(address), TimeProvider.System)).Message.ShouldContain("BaseUrl");

    private static string Readable(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return string.Empty; // a process that ended meanwhile
        }
    }

    private static Task<GitFetchException> Failure(Mirror mirror, string project, string name) => Should.ThrowAsync<GitFetchException>(() => mirror.FetchAsync(project, [name], Token));

    private Mirror Mirror() => new(Options("file://" + folder.At("source")), TimeProvider.System);

    private MirrorOptions Options(string address) => new() { Folder = folder.At("mirrors"), BaseUrl = address };

    private async Task Source(string project, string text = "1\n")
    {
        using var import = new GitFastImport();
        var root = import.Commit(new GitFastImportCommit("refs/heads/main", "root", 1000, []), Three.Files(("a", text)));
        import.Reset("refs/tags/v1", root);
        import.Reset("refs/changes/45/12345/6", import.Commit(new GitFastImportCommit("refs/heads/other", "change", 1001, [root]), Three.Files(("b", text))));
        Directory.CreateDirectory(Path.GetDirectoryName(folder.At("source/" + project))!);
        await import.Run(folder.At("source/" + project), Token);
    }
}
