using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WmfCi.Gerrit.Tests.StandIn;

/// <summary>The bot's event stream by the ssh program, sorted by project, so that tests beside each other do not read each other's lines.</summary>
public sealed class EventReader : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly Process process;
    private readonly Lock gate = new();
    private readonly List<(string Project, JsonNode Line)> lines = [];
    private readonly Task reading;
    private TaskCompletionSource changed = New();
    private volatile bool ending;

    private EventReader(Process process)
    {
        this.process = process;
        reading = ReadAsync();
    }

    /// <summary>Opens the stream; it is open for certain when the event of a project made for the purpose has come.</summary>
    public static async Task<EventReader> OpenAsync(Peer peer, string user = "wmfci")
    {
        var start = new ProcessStartInfo("ssh") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var argument in peer.SshArguments(user, "gerrit", "stream-events")) start.ArgumentList.Add(argument);
        var reader = new EventReader(Process.Start(start)!);
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < Patience)
        {
            var project = await peer.ProjectAsync();
            try
            {
                await reader.UntilAsync(project, e => (string?)e["type"] == "project-created", TimeSpan.FromSeconds(1));
                return reader;
            }
            catch (TimeoutException)
            {
                // The server had not opened the stream yet when the project was made; the next one tells.
            }
        }
        throw new TimeoutException("the event stream did not open");
    }

    /// <summary>All lines of a project up to the first that matches; they are taken out.</summary>
    public async Task<IReadOnlyList<JsonNode>> UntilAsync(string project, Func<JsonNode, bool> last, TimeSpan? patience = null)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        end.CancelAfter(patience ?? Patience);
        while (true)
        {
            Task next;
            string[] types;
            lock (gate)
            {
                var mine = lines.Where(l => l.Project == project).ToList();
                types = [.. mine.Select(l => (string)l.Line["type"]!)];
                var at = mine.FindIndex(l => last(l.Line));
                if (at >= 0)
                {
                    var taken = mine.Take(at + 1).ToList();
                    lines.RemoveAll(taken.Contains);
                    return [.. taken.Select(t => t.Line)];
                }
                next = changed.Task;
            }
            try
            {
                await next.WaitAsync(end.Token);
            }
            catch (OperationCanceledException e) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"the awaited event of {project} did not come; what came: {string.Join(", ", types)}", e);
            }
        }
    }

    public Task<IReadOnlyList<JsonNode>> UntilAsync(string project, string type) => UntilAsync(project, e => (string?)e["type"] == type);

    public async ValueTask DisposeAsync()
    {
        ending = true;
        process.Kill();
        await reading.WaitAsync(Patience);
        process.Dispose();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task ReadAsync()
    {
        while (await process.StandardOutput.ReadLineAsync() is { } text)
        {
            JsonNode line;
            try
            {
                line = JsonNode.Parse(text)!;
            }
            catch (JsonException) when (ending)
            {
                return; // A program that is killed in the middle of a line leaves half of it.
            }
            var project = (string?)line["refUpdate"]?["project"] ?? (string?)line["project"] ?? (string?)line["projectName"] ?? "";
            lock (gate)
            {
                lines.Add((project, line));
                changed.TrySetResult();
                changed = New();
            }
        }
    }
}
