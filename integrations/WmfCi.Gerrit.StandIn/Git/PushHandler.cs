using System.Text;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>What a push did so far, to be told to the person at the end.</summary>
internal sealed class PushReport
{
    /// <summary>Refusals of direct pushes; Gerrit prints them first.</summary>
    public StringBuilder Errors { get; } = new();

    /// <summary>Everything behind the progress lines.</summary>
    public StringBuilder Tail { get; } = new();

    public List<string> Created { get; } = [];
    public List<string> Replaced { get; } = [];
    public List<string> Outdated { get; } = [];
}

/// <summary>Carries a push out, ref by ref, and writes what the person reads behind <c>remote:</c>.</summary>
internal sealed class PushHandler(Site site, PushRequest request)
{
    private readonly PushReport report = new();

    public async Task<string> HandleAsync(CancellationToken ct)
    {
        foreach (var command in request.Commands)
        {
            if (MagicBranch.Matches(command.Name)) await new ChangePush(site, request, report).HandleAsync(command, ct);
            else await new BranchPush(site, request, report).HandleAsync(command, ct);
        }
        var said = new StringBuilder().Append(report.Errors).Append(Progress()).Append(report.Tail);
        if (report.Created.Count + report.Replaced.Count == 0) return said.ToString();
        said.Append("\nSUCCESS\n\n");
        foreach (var line in report.Created.Concat(report.Replaced)) said.Append("  ").Append(line).Append('\n');
        said.Append('\n');
        if (report.Outdated.Count > 0)
            said.Append("The following approvals got outdated and were removed:\n").AppendJoin('\n', report.Outdated.Select(o => "* " + o)).Append("\n\n\n");
        return said.ToString();
    }

    private string Progress()
    {
        var counts = $"Processing changes: refs: {request.Commands.Count}";
        if (report.Created.Count > 0) counts += $", new: {report.Created.Count}";
        if (report.Replaced.Count > 0) counts += $", updated: {report.Replaced.Count}";
        return $"\n{counts}\r{counts}, done    \n";
    }
}
