using System.CommandLine;
using WmfCi.Cli.Verbs;
using WmfCi.Service;

var root = new RootCommand("wmfci: builds, tests and votes on changes in Gerrit.")
{
    ServeVerb.Make(),
    LocalVerb.Make(),
    ValidateVerb.Make(),
    ValidateVerb.MakeSchema(),
    MergeVerb.Make(),
    QuarantineVerb.Make(),
    SelftestVerb.Make(),
};
// The service stops by itself within its own bound; it is not to be cut off before.
var parsed = root.Parse(args);
var status = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = ServiceHost.ShutdownPatience + TimeSpan.FromSeconds(10) });
// Every verb says 2 when it is called wrongly; 1 says that it was called rightly and found something bad.
return status != 0 && parsed.Errors.Count > 0 ? 2 : status;
