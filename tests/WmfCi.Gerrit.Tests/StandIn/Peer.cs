using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CliWrap;
using CliWrap.Buffered;

namespace WmfCi.Gerrit.Tests.StandIn;

/// <summary>A Gerrit as it is reached from outside: HTTP, git, ssh. Nothing of ours is between a test and the wire.</summary>
public sealed class Peer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly IReadOnlyDictionary<string, string> environment;
    private readonly HttpClient http = new() { Timeout = Patience };

    public Peer(IReadOnlyDictionary<string, string> environment)
    {
        this.environment = environment;
        Url = environment["GERRIT_URL"];
        Folder = Directory.CreateTempSubdirectory("wmfci-contract-").FullName;
    }

    public string Url { get; }
    public string Folder { get; }

    public async Task<Answer> AskAsync(string? user, HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(Url + (user is null ? "" : "/a") + path));
        if (user is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:testbed-{user}")));
        if (body is string text) request.Content = new StringContent(text, Encoding.UTF8, "application/json");
        else if (body is not null) request.Content = new StringContent(System.Text.Json.JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);
        return new Answer(
            (int)response.StatusCode, response.Content.Headers.ContentType?.MediaType ?? "", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    public Task<Answer> GetAsync(string? user, string path) => AskAsync(user, HttpMethod.Get, path);

    public Task<Answer> PostAsync(string user, string path, object? body = null) => AskAsync(user, HttpMethod.Post, path, body ?? new { });

    /// <summary>A project that only this test knows, with an empty first commit on main.</summary>
    public async Task<string> ProjectAsync(string submitType = "MERGE_IF_NECESSARY")
    {
        var name = "contract-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        var answer = await AskAsync("admin", HttpMethod.Put, "/projects/" + name, new { create_empty_commit = true, branches = new[] { "main" }, submit_type = submitType });
        answer.Status.ShouldBe(201, answer.Body);
        return name;
    }

    public async Task<Clone> CloneAsync(string project, string user)
    {
        var folder = Path.Combine(Folder, $"{project}-{user}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(3))}");
        var address = new UriBuilder(Url) { UserName = user, Password = "testbed-" + user, Path = "/a/" + project }.Uri.AbsoluteUri;
        var clone = new Clone(folder);
        await Clone.RunAsync("clone", "--quiet", address, folder);
        await clone.GitAsync("config", "user.name", char.ToUpperInvariant(user[0]) + user[1..]);
        await clone.GitAsync("config", "user.email", user == "admin" ? "admin@example.com" : user + "@example.org");
        return clone;
    }

    /// <summary>The arguments of the ssh program for somebody's command, pinned to the server's key.</summary>
    public IReadOnlyList<string> SshArguments(string user, params string[] command) =>
    [
        "-p", environment["GERRIT_SSH_PORT"], "-i", Path.Combine(environment["GERRIT_KEYS"], user), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + environment["GERRIT_KNOWN_HOSTS"], "-F", "none",
        $"{user}@{environment["GERRIT_SSH_HOST"]}", .. command,
    ];

    public async Task<BufferedCommandResult> SshAsync(string user, params string[] command) =>
        await Cli.Wrap("ssh").WithArguments(SshArguments(user, command)).WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync(TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync()
    {
        http.Dispose();
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }
}

/// <summary>An answer over HTTP.</summary>
public sealed record Answer(int Status, string Type, string Body)
{
    private const string Guard = ")]}'\n";

    /// <summary>The JSON behind the guard line, which has to be there.</summary>
    public JsonNode Json
    {
        get
        {
            Status.ShouldBeInRange(200, 299, Body);
            Type.ShouldBe("application/json");
            Body.ShouldStartWith(Guard);
            return JsonNode.Parse(Body[Guard.Length..])!;
        }
    }

    /// <summary>A refusal: a status and a text, without JSON.</summary>
    public void ShouldRefuse(int status, string text)
    {
        Status.ShouldBe(status, Body);
        Type.ShouldBe("text/plain");
        Body.TrimEnd('\n').ShouldBe(text);
    }
}

/// <summary>A work tree of somebody's.</summary>
public sealed class Clone(string folder)
{
    public static string NewChangeId() => "I" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(20));

    public static async Task<(int Status, string Output, string Error)> RunAsync(params string[] arguments)
    {
        // git of 2.47 and later tidies up in the background, beside what comes next.
        var result = await Cli.Wrap("git").WithArguments(arguments).WithValidation(CommandResultValidation.None)
            .WithEnvironmentVariables(e => e.Set("GIT_TERMINAL_PROMPT", "0").Set("GIT_CONFIG_GLOBAL", "/dev/null").Set("LC_ALL", "C.UTF-8")
                .Set("GIT_CONFIG_COUNT", "1").Set("GIT_CONFIG_KEY_0", "maintenance.auto").Set("GIT_CONFIG_VALUE_0", "false"))
            .ExecuteBufferedAsync(TestContext.Current.CancellationToken);
        return (result.ExitCode, result.StandardOutput, result.StandardError);
    }

    public async Task<string> GitAsync(params string[] arguments)
    {
        var (status, output, error) = await RunAsync(["-C", folder, .. arguments]);
        status.ShouldBe(0, error);
        return output.Trim();
    }

    public void Write(string path, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, path))!);
        File.WriteAllText(Path.Combine(folder, path), content);
    }

    /// <summary>Commits the files, with a Change-Id in the footer, which is returned.</summary>
    public async Task<string> CommitAsync(string subject, params (string Path, string Content)[] files)
    {
        var changeId = NewChangeId();
        foreach (var (path, content) in files) Write(path, content);
        await GitAsync("add", "--all");
        await GitAsync("commit", "--quiet", "--allow-empty", "-m", $"{subject}\n\nChange-Id: {changeId}");
        return changeId;
    }

    public async Task AmendAsync(params (string Path, string Content)[] files)
    {
        foreach (var (path, content) in files) Write(path, content);
        await GitAsync("add", "--all");
        await GitAsync("commit", "--quiet", "--amend", "--no-edit");
    }

    public Task<string> HeadAsync() => GitAsync("rev-parse", "HEAD");

    /// <summary>Pushes and returns what the server said (without git's <c>remote: </c>) and whether it took it.</summary>
    public async Task<Pushed> PushAsync(string to, params string[] options)
    {
        var (status, _, error) = await RunAsync(["-C", folder, "push", .. options.SelectMany(o => new[] { "-o", o }), "origin", "HEAD:" + to]);
        var said = error.ReplaceLineEndings("\n").Split('\n', '\r').Where(l => l.StartsWith("remote: ", StringComparison.Ordinal)).Select(l => l["remote: ".Length..].TrimEnd());
        var refusal = error.Split('\n').FirstOrDefault(l => l.Contains("[remote rejected]", StringComparison.Ordinal));
        return new Pushed(status == 0, [.. said], refusal?[(refusal.IndexOf(" (", StringComparison.Ordinal) + 2)..^1], error);
    }
}

/// <summary>What a push brought.</summary>
public sealed record Pushed(bool Accepted, IReadOnlyList<string> Said, string? Refusal, string Everything);
