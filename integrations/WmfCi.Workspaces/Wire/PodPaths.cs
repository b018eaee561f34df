namespace WmfCi.Workspaces.Wire;

/// <summary>Where things are in a stage's pod, whatever the image. Volumes that steps may write are their own, not one another's.</summary>
public static class PodPaths
{
    /// <summary>The workspace: all steps write it, the collector reads it.</summary>
    public const string Work = "/work";

    /// <summary>Artifacts of earlier stages, read-only for steps.</summary>
    public const string Inputs = "/artifacts";

    /// <summary>The program, the order, the scripts and the files of <c>/etc</c>: written by fetch, read-only for steps.</summary>
    public const string Tools = "/wmfci/tools";

    /// <summary>The program that fetch puts into <see cref="Tools"/>, and that steps are started with.</summary>
    public const string Program = Tools + "/wmfci-pod";

    /// <summary>The <see cref="StepOrder"/>.</summary>
    public const string Order = Tools + "/order.json";

    /// <summary>The folder of the scripts, named by their numbers from 1.</summary>
    public const string Scripts = Tools + "/steps";

    /// <summary>The accounts that steps see.</summary>
    public const string Passwd = Tools + "/passwd", Group = Tools + "/group";

    /// <summary>All logs, for fetch and collect: a folder for each step, named by its number, with <see cref="LogName"/> in it.</summary>
    public const string Logs = "/wmfci/logs";

    /// <summary>A step's own folder of <see cref="Logs"/>, as the step sees it.</summary>
    public const string OwnLog = "/wmfci/log";

    /// <summary>The file of a step's complete output.</summary>
    public const string LogName = "output";

    /// <summary>Scratch space, for fetch: for each step <c>N/tmp</c> and <c>N/home</c>, which it sees as <c>/tmp</c>, <c>/var/tmp</c> and <see cref="Accounts.Home"/>.</summary>
    public const string Scratch = "/wmfci/scratch";

    /// <summary>Where steps tell later steps that time runs and that one failed. Any step may write it; nothing else relies on it.</summary>
    public const string Control = "/wmfci/control";

    /// <summary>The token, and the certificate of the exchange's authority where there is one; for fetch and collect only, each its own.</summary>
    public const string Token = "/wmfci/token/token", Authority = "/wmfci/token/ca.crt";

    /// <summary>Environment variables of fetch and collect: the address of the attempt at the exchange, ending with a slash, and the pod's UID.</summary>
    public const string ExchangeVariable = "WMFCI_EXCHANGE", PodVariable = "WMFCI_POD";

    /// <summary>The header that names the pod in requests to the exchange.</summary>
    public const string PodHeader = "Wmfci-Pod";
}
