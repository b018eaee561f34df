using System.CommandLine;
using WmfCi.Cli.Verbs;

var root = new RootCommand("wmfci: builds, tests and votes on changes in Gerrit.")
{
    ServeVerb.Make(),
    ValidateVerb.Make(),
    ValidateVerb.MakeSchema(),
    MergeVerb.Make(),
    QuarantineVerb.Make(),
};
return await root.Parse(args).InvokeAsync();
