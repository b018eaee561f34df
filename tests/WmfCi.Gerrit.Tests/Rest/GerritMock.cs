using WireMock.RequestBuilders;
using WireMock.ResponseBuilders;
using WireMock.Server;
using WireMock.Settings;
using WmfCi.Core.Changes;

namespace WmfCi.Gerrit.Tests.Rest;

/// <summary>An HTTP server that answers what a test tells it to, and the code under test in front of it.</summary>
internal sealed class GerritMock : IDisposable
{
    /// <summary>The secret that must appear nowhere but in the header.</summary>
    public const string Password = "a-secret/of:ours";

    private readonly string _folder = Directory.CreateTempSubdirectory("wmfci-mock-").FullName;

    public GerritMock(Func<GerritOptions, GerritOptions>? with = null, TimeProvider? time = null, string prefix = "/")
    {
        File.WriteAllText(PasswordFile, Password + "\n");
        Options = new GerritOptions
        {
            Url = new Uri(Server.Url! + prefix),
            User = "wmfci",
            PasswordFile = PasswordFile,
            SshHost = "localhost",
            SshKeyFile = "/nowhere",
            KnownHostsFile = "/nowhere",
        };
        Options = with?.Invoke(Options) ?? Options;
        Review = new GerritCodeReview(Options, time ?? TimeProvider.System);
    }

    public WireMockServer Server { get; } = WireMockServer.Start(new WireMockServerSettings { StartTimeout = (int)TimeSpan.FromMinutes(3).TotalMilliseconds });

    public GerritOptions Options { get; }

    public GerritCodeReview Review { get; }

    public string PasswordFile => Path.Combine(_folder, "password");

    public static ChangeId Id => new("demo", 1);

    /// <summary>A recorded change under review, with votes and comments.</summary>
    public const string OpenChange = "changes-query-all-options";

    /// <summary>What was asked for, as it went over the wire: method, path and query.</summary>
    public IEnumerable<string> Requests => Server.LogEntries.Select(entry => $"{entry.RequestMessage!.Method} {new Uri(entry.RequestMessage.AbsoluteUrl).PathAndQuery}");

    public void Answer(string pathPattern, string body, int status = 200, string type = "application/json;charset=utf-8") =>
        Server.Given(Request.Create().WithPath(new WireMock.Matchers.RegexMatcher(pathPattern)))
            .RespondWith(Response.Create().WithStatusCode(status).WithHeader("Content-Type", type).WithBody(body));

    /// <summary>Answers as the real one was recorded to.</summary>
    public void AnswerSample(string pathPattern, string sample) =>
        Answer(pathPattern, Samples.Body(sample), Samples.Status(sample), Samples.Status(sample) == 200 ? "application/json;charset=utf-8" : "text/plain;charset=utf-8");

    /// <summary>Answers who we are, and one change.</summary>
    public GerritMock WithChange(string? body = null)
    {
        Answer("^/a/accounts/self$", ")]}'\n{\"_account_id\":1000001,\"username\":\"wmfci\"}");
        Answer("^/a/changes/demo~1(/detail)?$", body ?? Samples.Change(OpenChange));
        AnswerSample("^/a/changes/demo~1/comments$", "comments");
        return this;
    }

    public void Dispose()
    {
        Review.Dispose();
        Server.Stop();
        Server.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
