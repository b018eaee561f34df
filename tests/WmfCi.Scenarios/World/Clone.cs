using System.Text;
using System.Text.RegularExpressions;
using CliWrap;
using CliWrap.Buffered;

namespace WmfCi.Scenarios.World;

/// <summary>A person's clone of a project.</summary>
public sealed partial class Clone : IDisposable
{
    private readonly GerritPeer? _gerrit;
    private readonly string _project;
    private readonly string _user;
    private readonly string _folder = Directory.CreateTempSubdirectory("wmfci-clone-").FullName;

    private Clone(GerritPeer? gerrit, string project, string user) => (_gerrit, _project, _user) = (gerrit, project, user);

    public static async Task<Clone> MakeAsync(GerritPeer gerrit, string project, string user, CancellationToken cancellationToken)
    {
        var clone = new Clone(gerrit, project, user);
        await clone.FillAsync(gerrit.CloneUrl(project, user), cancellationToken);
        return clone;
    }

    /// <summary>A clone of an address, of which nothing else is known.</summary>
    public static async Task<Clone> FromAsync(string url, string user, CancellationToken cancellationToken)
    {
        var clone = new Clone(null, "", user);
        await clone.FillAsync(url, cancellationToken);
        return clone;
    }

    private async Task FillAsync(string url, CancellationToken cancellationToken)
    {
        await GitAsync(["clone", "-q", url, "."], cancellationToken);
        await GitAsync(["config", "user.name", _user], cancellationToken);
        await GitAsync(["config", "user.email", $"{_user}@example.org"], cancellationToken);
    }

    /// <summary>Where it is.</summary>
    public string Folder => _folder;

    /// <summary>Writes a file; an empty text deletes it.</summary>
    public Clone Write(string path, string text)
    {
        var file = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        if (text.Length == 0) File.Delete(file);
        else File.WriteAllText(file, text);
        return this;
    }

    public void Rename(string from, string to) => File.Move(Path.Combine(_folder, from), Path.Combine(_folder, to));

    /// <summary>Puts the work onto the tip of the branch, as somebody who was there before.</summary>
    public async Task PushToBranchAsync(string subject, CancellationToken cancellationToken)
    {
        await CommitAsync(subject, null, cancellationToken);
        await GitAsync(["push", "-q", _gerrit!.CloneUrl(_project, "admin"), "HEAD:refs/heads/main"], cancellationToken);
    }

    /// <summary>Pushes the work as a new change.</summary>
    public Task<ChangePage> PushAsync(string subject, CancellationToken cancellationToken, string options = "") =>
        PushAsync(subject, NewChangeId(), amend: false, options, cancellationToken);

    /// <summary>Pushes the work as a new change.</summary>
    /// <returns>The change's number.</returns>
    public async Task<int> PushForLinkAsync(string subject, CancellationToken cancellationToken)
    {
        await CommitAsync(subject, NewChangeId(), cancellationToken);
        return await PushForReviewAsync("", cancellationToken);
    }

    /// <summary>Pushes the work as the next patch set.</summary>
    public Task<ChangePage> AmendAsync(ChangePage change, string subject, CancellationToken cancellationToken) =>
        PushAsync(subject, change.ChangeId, amend: true, "", cancellationToken);

    public Task ResetAsync(string to, CancellationToken cancellationToken) => GitAsync(["reset", "-q", "--hard", to], cancellationToken);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task<ChangePage> PushAsync(string subject, string changeId, bool amend, string options, CancellationToken cancellationToken)
    {
        if (amend) await GitAsync(["add", "-A"], cancellationToken);
        if (amend) await GitAsync(["commit", "-q", "--amend", "-m", $"{subject}\n\nChange-Id: {changeId}"], cancellationToken);
        else await CommitAsync(subject, changeId, cancellationToken);
        return new ChangePage(_gerrit!, _project, await PushForReviewAsync(options, cancellationToken), changeId, _user);
    }

    private static string NewChangeId() => $"I{Convert.ToHexStringLower(Guid.NewGuid().ToByteArray())}00000000";

    private async Task<int> PushForReviewAsync(string options, CancellationToken cancellationToken)
    {
        var answer = await GitAsync(["push", "origin", $"HEAD:refs/for/main{options}"], cancellationToken);
        return int.Parse(ChangeLink().Match(answer).Groups["number"].Value);
    }

    private async Task CommitAsync(string subject, string? changeId, CancellationToken cancellationToken)
    {
        await GitAsync(["add", "-A"], cancellationToken);
        await GitAsync(["commit", "-q", "--allow-empty", "-m", changeId is null ? subject : $"{subject}\n\nChange-Id: {changeId}"], cancellationToken);
    }

    private async Task<string> GitAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var result = await CliWrap.Cli.Wrap("git").WithWorkingDirectory(_folder).WithArguments(arguments)
            .WithEnvironmentVariables(set => set.Set("GIT_TERMINAL_PROMPT", "0").Set("GIT_CONFIG_NOSYSTEM", "1").Set("HOME", _folder))
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(Encoding.UTF8, cancellationToken);
        return result.ExitCode == 0 ? result.StandardError : throw new InvalidOperationException($"git {string.Join(' ', arguments)}: {result.StandardError}");
    }

    [GeneratedRegex(@"/\+/(?<number>[0-9]+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex ChangeLink();
}
