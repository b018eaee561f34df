using System.Text;
using WmfCi.Fakes;
using WmfCi.LocalRunner;
using WmfCi.Service.Local;

namespace WmfCi.Service.Tests.Local;

/// <summary>A developer's machine: a working tree, a cache, a terminal.</summary>
internal sealed class Desk : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly StringWriter _complaint = new();
    private Screen _screen = new();

    public Desk()
    {
        Directory.CreateDirectory(Tree);
        Assert.SkipUnless(File.Exists("/usr/bin/bwrap"), "bubblewrap is not installed");
    }

    public string Tree => _folder["tree"];

    public string Cache => _folder["cache"];

    public string Said => _screen.Text;

    public string Complaint => _complaint.ToString();

    public LocalRequest Request => new() { Folder = Tree };

    public string? Server { get; set; }

    /// <summary>The stages whose steps began, in order.</summary>
    public IEnumerable<string> Started => Said.Split('\n').Where(line => line.StartsWith("==> ", StringComparison.Ordinal)).Select(line => line["==> ".Length..].Split(": ")[0]).Distinct(StringComparer.Ordinal);

    /// <summary>Stage and first word of the result, as the table at the end has them.</summary>
    public IEnumerable<string> Rows => Said.Split('\n').SkipWhile(line => !line.StartsWith("stage ", StringComparison.Ordinal)).Skip(1).Where(line => line.Length > 0)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(words => $"{words[0]} {words.First(word => char.IsUpper(word[0]))}");

    public void Write(string name, string text) => _folder.Write(Path.Combine("tree", name), text);

    public async Task CommitAsync(params (string Path, string Text)[] files)
    {
        foreach (var (path, text) in files) Write(path, text);
        await GitAsync("init", "-q", "-b", "main");
        await GitAsync("add", "-A");
        await GitAsync("-c", "user.name=Alice", "-c", "user.email=a@example.org", "commit", "-q", "-m", "work");
    }

    public Task<int> RunAsync(CancellationToken cancellationToken, params string[] stages) => RunAsync(Request with { Stages = stages }, cancellationToken);

    public Task<int> RunAsync(LocalRequest request, CancellationToken cancellationToken) => RunAsync(request, options => options, cancellationToken);

    public async Task<int> RunAsync(LocalRequest request, Func<LocalRunnerOptions, LocalRunnerOptions> adjust, CancellationToken cancellationToken)
    {
        _screen = new Screen();
        _complaint.GetStringBuilder().Clear();
        return await new LocalCommand(new LocalPlace { CacheFolder = Cache, Output = _screen, Error = _complaint, Server = Server, Adjust = adjust }).RunAsync(request, cancellationToken);
    }

    public Task UntilSaidAsync(string text, CancellationToken cancellationToken) => _screen.UntilAsync(text, cancellationToken);

    public void Dispose() => _folder.Dispose();

    private async Task GitAsync(params string[] arguments) => await CliWrap.Cli.Wrap("git").WithArguments(arguments).WithWorkingDirectory(Tree)
        .WithEnvironmentVariables(set => set.Set("GIT_CONFIG_GLOBAL", "/dev/null").Set("GIT_CONFIG_NOSYSTEM", "1")).ExecuteAsync(TestContext.Current.CancellationToken);

    /// <summary>What a terminal would show, while it is shown.</summary>
    private sealed class Screen : MemoryStream
    {
        private readonly Lock _turn = new();
        private readonly List<(string Text, TaskCompletionSource Seen)> _awaited = [];

        public string Text
        {
            get
            {
                lock (_turn) return Encoding.UTF8.GetString(ToArray());
            }
        }

        public override void Flush()
        {
            lock (_turn)
            {
                foreach (var (text, seen) in _awaited)
                    if (Text.Contains(text, StringComparison.Ordinal)) seen.TrySetResult();
            }
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            lock (_turn) base.Write(buffer);
        }

        public Task UntilAsync(string text, CancellationToken cancellationToken)
        {
            lock (_turn)
            {
                if (Text.Contains(text, StringComparison.Ordinal)) return Task.CompletedTask;
                var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _awaited.Add((text, seen));
                return seen.Task.WaitAsync(TimeSpan.FromMinutes(3), cancellationToken);
            }
        }
    }
}
