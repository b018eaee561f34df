using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary>An answer, whole before any of it is sent, so that a test can lose it after the work is done.</summary>
internal sealed record RestAnswer(int Status, string ContentType, byte[] Body)
{
    private const string JsonType = "application/json;charset=utf-8";
    private const string TextType = "text/plain;charset=utf-8";
    private static readonly JsonSerializerOptions Wire = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    public static RestAnswer NoContent { get; } = new(204, "", []);

    public static RestAnswer Unauthorized { get; } = new(401, "text/plain;charset=iso-8859-1", "Unauthorized"u8.ToArray())
    {
        Headers = new Dictionary<string, string> { ["WWW-Authenticate"] = "Basic realm=\"Gerrit Code Review\"" },
    };

    /// <summary>JSON behind the line that keeps a browser from running it.</summary>
    public static RestAnswer Json(JsonNode node, int status = 200) =>
        new(status, JsonType, Encoding.UTF8.GetBytes(")]}'\n" + node.ToJsonString(Wire) + "\n"));

    public static RestAnswer Text(int status, string text) => new(status, TextType, Encoding.UTF8.GetBytes(text + "\n"));

    /// <summary>Plain text as it stands, such as a script.</summary>
    public static RestAnswer Plain(string text) => new(200, TextType, Encoding.UTF8.GetBytes(text));

    public static RestAnswer Html(string html, int status = 200) => new(status, "text/html;charset=utf-8", Encoding.UTF8.GetBytes(html));

    public static RestAnswer Redirect(string to) =>
        new(303, "", []) { Headers = new Dictionary<string, string> { ["Location"] = to } };

    /// <summary>Content in base64, as file contents and patches are given.</summary>
    public static RestAnswer Base64(byte[] content, string type) =>
        new(200, "text/plain;charset=iso-8859-1", Encoding.ASCII.GetBytes(Convert.ToBase64String(content)))
        {
            Headers = new Dictionary<string, string> { ["X-FYI-Content-Encoding"] = "base64", ["X-FYI-Content-Type"] = type },
        };

    public async Task SendAsync(HttpResponse response, CancellationToken ct)
    {
        response.StatusCode = Status;
        foreach (var (name, value) in Headers) response.Headers[name] = value;
        response.Headers.CacheControl = "no-cache, no-store, max-age=0, must-revalidate";
        if (Status == 204) return;
        if (ContentType.Length > 0) response.ContentType = ContentType;
        response.ContentLength = Body.Length;
        await response.Body.WriteAsync(Body, ct);
    }
}
