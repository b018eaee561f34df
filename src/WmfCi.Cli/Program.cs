using System.CommandLine;
using WmfCi.Cli.Verbs;
using WmfCi.Service;

var root = new RootCommand("wmfci: builds, tests and votes on changes in Gerrit.")
{
    ServeVerb.Make(),
    ValidateVerb.Make(),
    ValidateVerb.MakeSchema(),
    MergeVerb.Make(),
    QuarantineVerb.Make(),
};
// The service stops by itself within its own bound; it is not to be cut off before.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = ServiceHost.ShutdownPatience + TimeSpan.FromSeconds(10) });
