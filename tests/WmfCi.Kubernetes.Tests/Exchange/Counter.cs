using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Kubernetes.Exchange;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Kubernetes.Running;
using WmfCi.Kubernetes.Tests.Faults;
using WmfCi.ObjectStore;
using WmfCi.Ports;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Tests.Exchange;

/// <summary>An exchange that serves over HTTP, with Jobs that a test makes up, and words for those who ask.</summary>
internal sealed class Counter : IAsyncDisposable
{
    public const string Name = "r1-commit-a1-0123456789", Other = "r2-commit-a1-0123456789", Fetch = "fetch-token", Collect = "collect-token", Pod = "0a1b-pod", OtherPod = "2c3d-pod";
    private readonly string _folder = Directory.CreateTempSubdirectory("wmfci-test-").FullName;
    // Who waits less sends what is refused, and may hear no answer but a broken connection.
    private readonly HttpClient _client = new(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) });
    private ExchangeServer _server = null!;

    private Counter() => Store = new FolderStore(_folder);

    public JobShelf Jobs { get; } = new();

    public FolderStore Store { get; }

    /// <summary>Thrown by the store from now on; null for a store that works.</summary>
    public IOException? Broken { get; set; }

    /// <summary>What must not happen.</summary>
    public System.Collections.Concurrent.ConcurrentBag<Exception> Faults { get; } = [];

    public Desk Desk { get; private set; } = null!;

    public Uri Address => _server.Address;

    public string Snapshot { get; private set; } = "";

    public string Input { get; private set; } = "";

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="isSeen">Whether Jobs are seen as they are by the watch; else it is behind, and sees none.</param>
    public static async Task<Counter> OpenAsync(bool isSeen = false)
    {
        var counter = new Counter();
        counter.Desk = new Desk(counter.Jobs.Records(), name => isSeen ? counter.Jobs.Find(name) : null, new NamedStore(new HeldStore { Inner = counter.Store, BeforePut = counter.WorksAsync, BeforeOpen = counter.WorksAsync }));
        counter._server = await ExchangeServer.StartAsync(new ExchangeOptions(new Uri("http://127.0.0.1:0/"), null), counter.Desk, counter.Faults.Add, Token);
        counter.Snapshot = await counter.StoreAsync("a snapshot");
        counter.Input = await counter.StoreAsync("an artifact of an earlier stage");
        foreach (var name in new[] { Name, Other }) counter.Jobs.Put(await counter.JobAsync(name));
        return counter;
    }

    private Task WorksAsync() => Broken is null ? Task.CompletedTask : throw Broken;

    public async Task<string> StoreAsync(string text) => (await Store.PutAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)), long.MaxValue, Token)).Digest;

    /// <summary>The store loses what it had.</summary>
    public void Lose(string digest) => File.Delete(Directory.GetFiles(_folder, digest, SearchOption.AllDirectories).ShouldHaveSingleItem());

    public static string DigestOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    public static Blob BlobOf(string text) => new(DigestOf(text), Encoding.UTF8.GetByteCount(text));

    /// <summary>Sends a request as a pod does.</summary>
    public async Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, string token, string pod = Pod, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(Address, path)) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        // Who is refused for the size alone hears it before anything is sent.
        request.Headers.ExpectContinue = content?.Headers.ContentLength > 1 << 20;
        request.Headers.TryAddWithoutValidation(PodPaths.PodHeader, pod);
        return await _client.SendAsync(request, Token);
    }

    /// <summary>Sends a request and expects an answer that tells nothing but its status.</summary>
    public async Task<HttpStatusCode> StatusAsync(HttpMethod method, string path, string token, string pod = Pod, HttpContent? content = null)
    {
        using var answer = await AskAsync(method, path, token, pod, content);
        if (!answer.IsSuccessStatusCode || answer.StatusCode == HttpStatusCode.NoContent)
        {
            (await answer.Content.ReadAsByteArrayAsync(Token)).ShouldBeEmpty();
            answer.Headers.Select(header => header.Key).Where(key => key is not ("Date" or "Connection")).ShouldBeEmpty();
        }
        return answer.StatusCode;
    }

    public Task<HttpStatusCode> PostAsync(string what, string token, string pod = Pod, string name = Name) => StatusAsync(HttpMethod.Post, $"attempts/{name}/{what}", token, pod);

    public Task<HttpStatusCode> GetAsync(string digest, string token = Fetch, string pod = Pod, string name = Name) => StatusAsync(HttpMethod.Get, $"attempts/{name}/blobs/{digest}", token, pod);

    public Task<HttpStatusCode> PutAsync(string text, string? digest = null, string token = Collect, string pod = Pod, string name = Name) =>
        StatusAsync(HttpMethod.Put, $"attempts/{name}/blobs/{digest ?? DigestOf(text)}", token, pod, new StringContent(text));

    public Task<HttpStatusCode> HandInAsync(PodManifest manifest, string token = Collect, string pod = Pod) => HandInAsync(JsonSerializer.Serialize(manifest, WireJson.Default.PodManifest), token, pod);

    public Task<HttpStatusCode> HandInAsync(string manifest, string token = Collect, string pod = Pod) =>
        StatusAsync(HttpMethod.Post, $"attempts/{Name}/collected", token, pod, new StringContent(manifest, Encoding.UTF8, "application/json"));

    /// <summary>An attempt whose workspace is laid out.</summary>
    public async Task<Counter> FetchedAsync()
    {
        (await PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
        (await PostAsync("fetched", Fetch)).ShouldBe(HttpStatusCode.NoContent);
        return this;
    }

    public async ValueTask DisposeAsync()
    {
        Faults.ShouldBeEmpty();
        _client.Dispose();
        await _server.DisposeAsync();
        Jobs.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<V1Job> JobAsync(string name)
    {
        var bounds = new CollectionBounds { MaxFiles = 3, MaxFileBytes = 1000, MaxTotalBytes = 1500, MaxNotes = 2 };
        var order = await Desk.PutOrdersAsync(
            new StageOrders(
                new FetchOrder { Snapshot = Snapshot, Inputs = name == Name ? [new InputFile("commit", "out/a", Input)] : [], Steps = new StepOrder { Steps = [new Step("one", "true")], Timeout = TimeSpan.FromMinutes(1), StopGrace = TimeSpan.FromSeconds(1), MaxProcesses = 10, MaxFileBytes = 1000, LogBytes = 500 } },
                new CollectOrder { Artifacts = ["out/*"], Bounds = bounds, Steps = 2, LogBytes = 500 }),
            Token);
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [Marks.Order] = order,
            [Marks.FetchToken] = Marks.HashOf(name == Name ? Fetch : "another-" + Fetch),
            [Marks.CollectToken] = Marks.HashOf(name == Name ? Collect : "another-" + Collect),
        };
        return new V1Job { Metadata = new V1ObjectMeta { Name = name, NamespaceProperty = "stages", Annotations = annotations } };
    }
}
