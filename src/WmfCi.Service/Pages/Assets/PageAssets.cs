using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using WmfCi.Service.Pages.Terminal;

namespace WmfCi.Service.Pages.Assets;

/// <summary>The one style sheet and the one script. Their names change with what they hold, so browsers may keep them for ever.</summary>
public static class PageAssets
{
    /// <summary>How pages look.</summary>
    public static PageAsset StyleSheet { get; } = new("pages", "css", "text/css; charset=utf-8", Read("pages.css") + Palette.StyleSheet());

    /// <summary>What pages do beside being read: follow a log, refresh what changes, keep times right.</summary>
    public static PageAsset Script { get; } = new("pages", "js", "text/javascript; charset=utf-8", Read("pages.js"));

    /// <summary>The answer to the name of an asset; null where there is none of that name.</summary>
    public static IResult? Find(string name) =>
        name == StyleSheet.Name ? new AssetAnswer(StyleSheet) : name == Script.Name ? new AssetAnswer(Script) : null;

    private static string Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("WmfCi.Service.Pages.Assets." + name)
            ?? throw new InvalidOperationException($"{name} is not part of the program; it must be an embedded resource.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private sealed class AssetAnswer(PageAsset asset) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.CacheControl = "public, max-age=31536000, immutable";
            return Results.Bytes(asset.Bytes, asset.ContentType, entityTag: new EntityTagHeaderValue($"\"{asset.Hash}\"")).ExecuteAsync(httpContext);
        }
    }
}

/// <summary>Something that pages load.</summary>
/// <param name="Stem">The beginning of its name.</param>
/// <param name="Extension">The end of its name.</param>
/// <param name="ContentType">What it is.</param>
/// <param name="Text">What it holds.</param>
public sealed record PageAsset(string Stem, string Extension, string ContentType, string Text)
{
    /// <summary>Its bytes.</summary>
    public byte[] Bytes { get; } = Encoding.UTF8.GetBytes(Text);

    /// <summary>Changes with its bytes.</summary>
    public string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)))[..16];

    /// <summary>Its name.</summary>
    public string Name => $"{Stem}.{Hash}.{Extension}";

    /// <summary>Where it is.</summary>
    public string Path => "/assets/" + Name;
}
