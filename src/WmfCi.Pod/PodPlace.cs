using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod;

/// <summary>Where the pod's folders are: at <see cref="PodPaths"/>, or the same below another root, where something is to be tried without a pod.</summary>
internal sealed record PodPlace(string Root = "")
{
    public string Work => Root + PodPaths.Work;

    public string Inputs => Root + PodPaths.Inputs;

    public string Tools => Root + PodPaths.Tools;

    public string Program => Root + PodPaths.Program;

    public string Order => Root + PodPaths.Order;

    public string Passwd => Root + PodPaths.Passwd;

    public string Group => Root + PodPaths.Group;

    public string Token => Root + PodPaths.Token;

    public string Authority => Root + PodPaths.Authority;

    public string Control => Root + PodPaths.Control;

    public string OwnLog => Root + PodPaths.OwnLog + "/" + PodPaths.LogName;

    /// <summary>Where the kubelet reads what a container says at its end.</summary>
    public string TerminationLog => Root + "/dev/termination-log";

    public string Script(int step) => $"{Root}{PodPaths.Scripts}/{step}";

    public string LogFolder(int step) => $"{Root}{PodPaths.Logs}/{step}";

    public string Log(int step) => LogFolder(step) + "/" + PodPaths.LogName;

    public string Scratch(int step) => $"{Root}{PodPaths.Scratch}/{step}";
}
