using System.Text.Json.Nodes;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Nodes;

/// <summary>What a pod's status says of one container.</summary>
internal sealed class ContainerRecord(JsonObject spec, bool isInit)
{
    private readonly string _id = $"stand-in://{Guid.NewGuid():N}";

    public JsonObject Spec => spec;

    public bool IsInit => isInit;

    public string Name => spec.Text("name")!;

    public JsonObject State { get; private set; } = new() { ["waiting"] = new JsonObject { ["reason"] = "PodInitializing" } };

    public JsonObject? LastState { get; private set; }

    public bool IsReady { get; set; }

    public int Restarts { get; private set; }

    public int? Exit => (int?)State.Number("terminated", "exitCode");

    /// <summary>Why it was killed, where the node did that.</summary>
    public string? KillReason { get; set; }

    public ContainerProcess? Process { get; set; }

    public void Wait(string reason, string? message = null)
    {
        var waiting = new JsonObject { ["reason"] = reason };
        if (message is not null) waiting["message"] = message;
        State = new JsonObject { ["waiting"] = waiting };
        IsReady = false;
    }

    public void Run(DateTimeOffset now) => State = new JsonObject { ["running"] = new JsonObject { ["startedAt"] = now.Seconds() } };

    public void End(DateTimeOffset now, int exit, string message)
    {
        var ended = new JsonObject
        {
            ["exitCode"] = exit,
            ["reason"] = KillReason ?? (exit == 0 ? "Completed" : "Error"),
            ["startedAt"] = State.Text("running", "startedAt") ?? now.Seconds(),
            ["finishedAt"] = now.Seconds(),
            ["containerID"] = _id,
        };
        if (message.Length > 0) ended["message"] = message;
        State = new JsonObject { ["terminated"] = ended };
        IsReady = isInit && exit == 0;
    }

    public void Restart()
    {
        LastState = State;
        Restarts++;
        Wait("CrashLoopBackOff");
    }

    public JsonObject Status() => new()
    {
        ["name"] = Name,
        ["image"] = spec.Text("image"),
        ["imageID"] = $"stand-in://{spec.Text("image")}",
        ["containerID"] = State.ContainsKey("waiting") ? null : _id,
        ["state"] = State.DeepClone(),
        ["lastState"] = LastState?.DeepClone() ?? new JsonObject(),
        ["ready"] = IsReady,
        ["started"] = State.ContainsKey("running"),
        ["restartCount"] = Restarts,
    };
}
