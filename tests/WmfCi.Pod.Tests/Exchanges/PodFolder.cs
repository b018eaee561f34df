using System.Formats.Tar;
using WmfCi.Fakes;
using WmfCi.Pod.Exchanges;
using WmfCi.Workspaces.Wire;
using ZstdSharp;

namespace WmfCi.Pod.Tests.Exchanges;

/// <summary>A pod's folders below a temporary one, and what runs in them.</summary>
internal sealed class PodFolder : IDisposable
{
    private readonly TempFolder _folder = new();

    public PodFolder()
    {
        Place = new PodPlace(_folder.Path);
        _folder.Write("dev/termination-log", "");
        GiveToken(TestExchange.Token);
    }

    public PodPlace Place { get; }

    public Dictionary<string, string?> Variables { get; } = new() { [PodPaths.PodVariable] = TestExchange.Pod };

    /// <summary>For how long the exchange may fail.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static StepOrder Steps(params string[] scripts) => new()
    {
        Steps = [.. scripts.Select(script => new Core.Pipelines.Step("step", script))],
        Timeout = TimeSpan.FromMinutes(5),
        StopGrace = TimeSpan.Zero,
        MaxProcesses = 100,
        MaxFileBytes = 1 << 30,
        LogBytes = 1 << 20,
    };

    /// <summary>A snapshot of files.</summary>
    public static byte[] Pack(Action<TarWriter> write)
    {
        using var packed = new MemoryStream();
        using (var compressed = new CompressionStream(packed, leaveOpen: true))
        using (var tar = new TarWriter(compressed)) write(tar);
        return packed.ToArray();
    }

    public static PaxTarEntry File(string name, byte[] content) => new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) };

    public void GiveToken(string token) => _folder.Write(PodPaths.Token[1..], token);

    public void GiveAuthority(string pem) => _folder.Write(PodPaths.Authority[1..], pem);

    public string Read(string path) => System.IO.File.ReadAllText(_folder.Path + path);

    public string Write(string path, string text) => _folder.Write(path.TrimStart('/'), text);

    public void Dispose() => _folder.Dispose();

    public Task FetchAsync(TestExchange exchange) => FetchAsync(exchange, TextWriter.Null, Token);

    public async Task FetchAsync(TestExchange exchange, TextWriter output, CancellationToken stop)
    {
        Variables.TryAdd(PodPaths.ExchangeVariable, exchange.Address);
        using var client = new Exchange(ExchangeAccess.Read(Place, Variables.GetValueOrDefault), TimeProvider.System) { Patience = Patience };
        await new FetchContainer(Place, client, TimeProvider.System).RunAsync(output, stop);
    }

    public async Task<PodManifest> CollectAsync(TestExchange exchange)
    {
        Variables.TryAdd(PodPaths.ExchangeVariable, exchange.Address);
        using var client = new Exchange(ExchangeAccess.Read(Place, Variables.GetValueOrDefault), TimeProvider.System) { Patience = Patience };
        await new CollectContainer(Place, client, TimeProvider.System).RunAsync(Token);
        return exchange.Manifest!;
    }
}
