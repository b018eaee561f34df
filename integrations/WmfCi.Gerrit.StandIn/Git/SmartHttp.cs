using System.IO.Compression;
using CliWrap;
using WmfCi.Gerrit.StandIn.Model;
using WmfCi.Gerrit.StandIn.Rest;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>git's smart HTTP: reading by the git program, writing by <see cref="ReceivePack"/>.</summary>
internal sealed class SmartHttp(Site site)
{
    private const string UploadPack = "git-upload-pack";
    private const string ReceivePackService = "git-receive-pack";
    private const string Suffix = ".git";

    /// <summary>The project and the rest of a path, when it is one of git's own three addresses.</summary>
    public static (string Project, string Service)? Match(IReadOnlyList<string> path, string? service)
    {
        if (path.Count >= 3 && path[^2] == "info" && path[^1] == "refs" && service is UploadPack or ReceivePackService)
            return (ProjectName(string.Join('/', path.Take(path.Count - 2))), "info");
        if (path.Count >= 2 && path[^1] is UploadPack or ReceivePackService) return (ProjectName(string.Join('/', path.Take(path.Count - 1))), path[^1]);
        return null;
    }

    public static string ProjectName(string path) => path.EndsWith(Suffix, StringComparison.Ordinal) ? path[..^Suffix.Length] : path;

    public async Task<RestAnswer?> AnswerAsync(HttpContext context, (string Project, string Service) wanted, Account? user)
    {
        var service = wanted.Service == "info" ? context.Request.Query["service"].ToString() : wanted.Service;
        if (user is null && (service == ReceivePackService || !site.Options.AnonymousRead)) return RestAnswer.Unauthorized;
        var ct = context.RequestAborted;
        if (site.Project(wanted.Project) is null) return RestAnswer.Text(service == ReceivePackService && wanted.Service == "info" ? 403 : 404, "Not Found");
        context.Response.Headers.CacheControl = "no-cache, max-age=0, must-revalidate";
        if (wanted.Service == "info") await AdvertiseAsync(context, wanted.Project, (service, user), ct);
        else if (service == UploadPack) await UploadAsync(context, wanted.Project, user, ct);
        else return await ReceiveAsync(context, wanted.Project, user!, ct);
        return null;
    }

    /// <summary>Settings that hide the refs of private changes which somebody may not see.</summary>
    public static async Task<IReadOnlyList<string>> HiddenRefsAsync(Site site, string project, Account? user, CancellationToken ct) =>
        await site.ExclusivelyAsync(() => Task.FromResult(site.Facts.Changes.Values.Where(c => c.Project == project && !Rights.MaySee(user, c))
            .SelectMany(c => new[] { "-c", "transfer.hideRefs=" + c.RefPrefix.TrimEnd('/') }).ToList()), ct);

    private async Task AdvertiseAsync(HttpContext context, string project, (string Service, Account? User) asked, CancellationToken ct)
    {
        var output = context.Response.Body;
        context.Response.ContentType = $"application/x-{asked.Service}-advertisement";
        var newest = context.Request.Headers["Git-Protocol"].ToString().Contains("version=2", StringComparison.Ordinal) && asked.Service == UploadPack;
        if (!newest)
        {
            await output.WriteAsync(PktLine.Line($"# service={asked.Service}\n"), ct);
            await output.WriteAsync(PktLine.Flush, ct);
        }
        if (asked.Service == ReceivePackService) await new ReceivePack(site).AdvertiseAsync(project, output, ct);
        else await RunUploadPackAsync(context, project, (asked.User, "--advertise-refs", null), ct);
    }

    private async Task UploadAsync(HttpContext context, string project, Account? user, CancellationToken ct)
    {
        context.Response.ContentType = $"application/x-{UploadPack}-result";
        await using var body = Body(context.Request);
        await RunUploadPackAsync(context, project, (user, null, body), ct);
    }

    private async Task<RestAnswer> ReceiveAsync(HttpContext context, string project, Account user, CancellationToken ct)
    {
        await using var body = Body(context.Request);
        using var output = new MemoryStream();
        try
        {
            await new ReceivePack(site).ReceiveAsync(project, user, body, output, ct);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            return RestAnswer.Text(400, "Bad Request: " + e.Message);
        }
        return new RestAnswer(200, $"application/x-{ReceivePackService}-result", output.ToArray());
    }

    private async Task RunUploadPackAsync(HttpContext context, string project, (Account? User, string? Option, Stream? Input) what, CancellationToken ct)
    {
        var folder = site.Repository(project).Folder;
        var hidden = await HiddenRefsAsync(site, project, what.User, ct);
        var environment = new Dictionary<string, string?> { ["GIT_PROTOCOL"] = context.Request.Headers["Git-Protocol"].ToString() };
        string[] option = what.Option is null ? [] : [what.Option];
        var command = GitProgram.Command(folder, [.. hidden, "upload-pack", "--stateless-rpc", .. option, folder], environment)
            .WithStandardOutputPipe(PipeTarget.ToStream(context.Response.Body, autoFlush: true));
        if (what.Input is not null) command = command.WithStandardInputPipe(PipeSource.FromStream(what.Input));
        await command.ExecuteAsync(ct);
    }

    private static Stream Body(HttpRequest request) =>
        request.Headers.ContentEncoding == "gzip" ? new GZipStream(request.Body, CompressionMode.Decompress) : request.Body;
}
