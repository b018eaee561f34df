using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using CliWrap;
using CliWrap.Buffered;
using WmfCi.Core.Changes;

namespace WmfCi.Gerrit.Tests.Contract;

/// <summary>A Gerrit with the accounts of the test bed (admin, wmfci, alice, bob, carol, mallory; passwords <c>testbed-NAME</c>), and what people do there.</summary>
/// <param name="Url">Its address.</param>
/// <param name="SshHost">Where its SSH daemon is.</param>
/// <param name="SshPort">And on which port.</param>
/// <param name="Keys">The folder with a private SSH key per account.</param>
/// <param name="KnownHosts">The file with its host key.</param>
public sealed record ReviewServer(Uri Url, string SshHost, int SshPort, string Keys, string KnownHosts) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly Lazy<string> _folder = new(() => Directory.CreateTempSubdirectory("wmfci-gerrit-").FullName);
    private readonly HttpClient _http = new() { BaseAddress = Url, Timeout = Patience };

    /// <summary>The options of one of the accounts.</summary>
    public GerritOptions Options(string user)
    {
        var password = Path.Combine(_folder.Value, "password-" + user);
        if (!File.Exists(password)) File.WriteAllText(password, $"testbed-{user}\n");
        return new GerritOptions
        {
            Url = Url,
            User = user,
            PasswordFile = password,
            SshHost = SshHost,
            SshPort = SshPort,
            SshKeyFile = Path.Combine(Keys, user),
            KnownHostsFile = KnownHosts,
            RequestTimeout = Patience,
            SshConnectTimeout = Patience,
        };
    }

    /// <summary>A person's REST call; its answer without the guard.</summary>
    public async Task<JsonElement> CallAsync(string user, HttpMethod method, string path, object? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, "a" + path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:testbed-{user}")));
        if (body is not null) request.Content = JsonContent.Create(body);
        using var response = await _http.SendAsync(request, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        if (!response.IsSuccessStatusCode) throw new InvalidOperationException($"{method} {path} as {user}: {(int)response.StatusCode} {text}");
        if (response.StatusCode == HttpStatusCode.NoContent || !text.StartsWith(")]}'", StringComparison.Ordinal)) return default;
        using var json = JsonDocument.Parse(text.AsMemory(4));
        return json.RootElement.Clone();
    }

    /// <summary>A new project of this name, with an empty commit on <c>main</c>.</summary>
    public Task CreateProjectAsync(string name, CancellationToken cancellationToken) => CallAsync("admin", HttpMethod.Put, "/projects/" + Uri.EscapeDataString(name),
        new { create_empty_commit = true, branches = new[] { "main" }, submit_type = "MERGE_IF_NECESSARY", use_content_merge = "TRUE" }, cancellationToken);

    /// <summary>A person's work tree of a project.</summary>
    public async Task<WorkTree> CloneAsync(string user, string project, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(_folder.Value, Guid.NewGuid().ToString("N"));
        var remote = new UriBuilder(new Uri(Url, "a/" + string.Join('/', project.Split('/').Select(Uri.EscapeDataString)))) { UserName = user, Password = $"testbed-{user}" };
        var tree = new WorkTree(folder, project);
        await GitAsync(null, ["clone", "-q", remote.Uri.AbsoluteUri, folder], cancellationToken);
        await GitAsync(folder, ["config", "user.name", user], cancellationToken);
        await GitAsync(folder, ["config", "user.email", $"{user}@example.org"], cancellationToken);
        return tree;
    }

    /// <summary>Commits a file and pushes it for review.</summary>
    /// <param name="tree">Where.</param>
    /// <param name="file">The file.</param>
    /// <param name="content">What is in it.</param>
    /// <param name="push">How: new changes or (<see cref="Push.Amend"/>) a new patch set, and Gerrit's push options such as <c>wip</c>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The commit.</returns>
    public static async Task<string> PushAsync(WorkTree tree, string file, string content, Push push, CancellationToken cancellationToken)
    {
        var path = Path.Combine(tree.Folder, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, content, cancellationToken);
        await GitAsync(tree.Folder, ["add", "-A"], cancellationToken);
        await GitAsync(tree.Folder, push.Amend
            ? ["commit", "-q", "--amend", "--no-edit"]
            : ["commit", "-q", "-m", $"{push.Subject}\n\nChange-Id: I{Convert.ToHexStringLower(Guid.NewGuid().ToByteArray())}{Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().AsSpan(0, 4))}"], cancellationToken);
        await GitAsync(tree.Folder, ["push", "-q", "origin", "HEAD:refs/for/main" + (push.Options.Length > 0 ? "%" + push.Options : "")], cancellationToken);
        return (await GitAsync(tree.Folder, ["rev-parse", "HEAD"], cancellationToken)).Trim();
    }

    /// <summary>The number of a commit's change.</summary>
    public async Task<ChangeId> FindAsync(string project, string commit, CancellationToken cancellationToken)
    {
        var found = await CallAsync("wmfci", HttpMethod.Get, "/changes/?q=" + Uri.EscapeDataString("commit:" + commit), null, cancellationToken);
        return new ChangeId(project, found[0].GetProperty("_number").GetInt32());
    }

    /// <summary>A person's review of the current patch set.</summary>
    public Task<JsonElement> ReviewAsync(string user, ChangeId change, object review, CancellationToken cancellationToken) =>
        CallAsync(user, HttpMethod.Post, ChangePath(change) + "/revisions/current/review", review, cancellationToken);

    /// <summary>The REST path of a change.</summary>
    public static string ChangePath(ChangeId change) => $"/changes/{Uri.EscapeDataString(change.Project)}~{change.Number}";

    /// <summary>A Gerrit command by SSH.</summary>
    public async Task SshAsync(string user, IReadOnlyList<string> command, CancellationToken cancellationToken) =>
        await Cli.Wrap("ssh").WithArguments(["-p", $"{SshPort}", "-i", Path.Combine(Keys, user), "-o", "IdentitiesOnly=yes", "-o", $"UserKnownHostsFile={KnownHosts}", "-o", "StrictHostKeyChecking=yes", $"{user}@{SshHost}", "gerrit", .. command])
            .ExecuteBufferedAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _http.Dispose();
        if (_folder.IsValueCreated) Directory.Delete(_folder.Value, recursive: true);
    }

    private static async Task<string> GitAsync(string? folder, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var git = Cli.Wrap("git").WithArguments(arguments).WithEnvironmentVariables(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["GIT_CONFIG_GLOBAL"] = "/dev/null",
            ["GIT_CONFIG_NOSYSTEM"] = "1",
            ["GIT_TERMINAL_PROMPT"] = "0",
            // git of 2.47 and later tidies up in the background, beside what comes next.
            ["GIT_CONFIG_COUNT"] = "1",
            ["GIT_CONFIG_KEY_0"] = "maintenance.auto",
            ["GIT_CONFIG_VALUE_0"] = "false",
        });
        return (await (folder is null ? git : git.WithWorkingDirectory(folder)).ExecuteBufferedAsync(cancellationToken)).StandardOutput;
    }
}

/// <summary>A work tree.</summary>
public sealed record WorkTree(string Folder, string Project);

/// <summary>How a commit is pushed.</summary>
public sealed record Push(string Subject = "A change", bool Amend = false, string Options = "");
