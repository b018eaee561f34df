using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using WmfCi.Config.Sites;
using WmfCi.CrashHost;
using WmfCi.Gerrit;
using WmfCi.LocalRunner;
using WmfCi.ObjectStore;
using WmfCi.Ports;
using WmfCi.Service;
using WmfCi.Service.Loop;
using WmfCi.Storage;

// WmfCi.CrashHost SITE-FILE PLACES-FILE [PLACE OCCURRENCE]
// Serves a site, writes each place that it reaches as a line into the file, and kills itself where it reaches the place for the given time.
var site = SiteFile.Read(args[0], await File.ReadAllBytesAsync(args[0])) switch
{
    SiteReading.Valid valid => valid.Site,
    SiteReading.Invalid invalid => throw new InvalidOperationException(string.Join('\n', invalid.Mistakes)),
    _ => throw new InvalidOperationException("A site file came to something unknown."),
};
await using var places = new FileStream(args[1], FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
var (deadly, left) = args.Length > 2 ? (args[2], int.Parse(args[3], CultureInfo.InvariantCulture)) : (null, 0);
var gate = new Lock();
var boundary = new Boundary(place =>
{
    lock (gate)
    {
        places.Write(Encoding.UTF8.GetBytes(place + "\n"));
        if (place != deadly || --left > 0) return;
        // Not Environment.Exit: nothing may be tidied up.
        Process.GetCurrentProcess().Kill();
        Thread.Sleep(Timeout.Infinite);
    }
});

var holder = Serving.NewHolder();
await using var host = await ServiceHost.StartAsync(new Serving(site, Roles.All, holder), Replace, CancellationToken.None);
Console.WriteLine("serving");
await host.WaitAsync(CancellationToken.None);

void Replace(IServiceCollection services)
{
    services.AddSingleton(boundary);
    // Whoever is to live on holds what it has as long as the product does: a machine that stands still for seconds is no death.
    // Those that are to die hold it shortly, so that their heirs need not wait.
    var times = LeaseTimes.Default with { EffectRenewal = TimeSpan.FromSeconds(0.3), LeaseRenewal = TimeSpan.FromSeconds(0.3) };
    services.AddSingleton(deadly is null ? times : times with { Lane = TimeSpan.FromSeconds(1), Effect = TimeSpan.FromSeconds(3), Lease = TimeSpan.FromSeconds(1) });
    services.AddSingleton<ICodeReview>(provider => new CrashingReview(new GerritCodeReview(site.GerritOptions(), provider.GetRequiredService<TimeProvider>()), boundary));
    services.AddSingleton<IArtifactStore>(provider => new CrashingStore(new FolderStore(Path.Combine(site.State, "store"), provider.GetRequiredService<TimeProvider>()), boundary));
    // A cluster's runner has the places of the store instead, which its pods reach through this process.
    if (site.Runner.Kubernetes is not null) return;
    services.AddSingleton<IJobRunner>(provider => new CrashingRunner(
        new LocalJobRunner(site.RunnerOptions(), provider.GetRequiredService<IArtifactStore>(), provider.GetRequiredService<TimeProvider>()), boundary));
}
