using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace WmfCi.Kubernetes.Tests.Runner;

/// <summary>An image for services, made and pushed by the tests themselves: it serves a page on port 8080, and does what its variables say.</summary>
internal static class ServiceImage
{
    private const string Busybox = "/bin/busybox", Repository = "wmfci-test-service", Type = "application/vnd.oci.image";

    // VALUE is printed; FAIL ends it at once; MUTE keeps it from serving; it dies when there is the file /tmp/die.
    private const string Script = """
        echo "value $VALUE"
        if [ -n "$FAIL" ]; then echo "cannot begin: no data"; exit 3; fi
        mkdir -p /tmp/www
        echo "page of $NAME, started $(cat /proc/sys/kernel/random/uuid)" > /tmp/www/index.html
        if [ -z "$MUTE" ]; then httpd -p 8080 -h /tmp/www; fi
        touch /tmp/ready
        echo "serves as $(id -u)"
        trap 'exit 0' TERM
        while [ ! -e /tmp/die ]; do sleep 0.2 & wait $!; done
        echo "dies"
        exit 5

        """;

    private static readonly Lock Once = new();
    private static Task<string>? _pushed;

    /// <summary>Its name, by digest; skips where no image can be made.</summary>
    public static Task<string> ReferenceAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && File.Exists(Busybox), "no image for services can be made: there is no static busybox");
        lock (Once) return _pushed ??= PushAsync();
    }

    private static async Task<string> PushAsync()
    {
        var registry = Needs.Image.Split('/')[0];
        using var client = new HttpClient { BaseAddress = new Uri($"http://{registry}/v2/{Repository}/") };
        using var tar = new MemoryStream();
        await using (var writer = new TarWriter(tar, TarEntryFormat.Ustar, leaveOpen: true))
        {
            foreach (var folder in new[] { "bin", "etc" }) await writer.WriteEntryAsync(Entry(TarEntryType.Directory, folder, 0b111_101_101));
            await writer.WriteEntryAsync(Entry(TarEntryType.Directory, "tmp", 0b1_111_111_111));
            var program = Entry(TarEntryType.RegularFile, "bin/busybox", 0b111_101_101);
            await using var busybox = File.OpenRead(Busybox);
            program.DataStream = busybox;
            await writer.WriteEntryAsync(program);
            foreach (var name in new[] { "sh", "cat", "httpd", "id", "mkdir", "sleep", "test", "touch", "grep", "wget" })
            {
                var link = Entry(TarEntryType.SymbolicLink, "bin/" + name, 0b111_101_101);
                link.LinkName = "busybox";
                await writer.WriteEntryAsync(link);
            }
            var script = Entry(TarEntryType.RegularFile, "serve", 0b100_100_100);
            script.DataStream = new MemoryStream(Encoding.UTF8.GetBytes(Script));
            await writer.WriteEntryAsync(script);
        }
        using var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) await gzip.WriteAsync(tar.ToArray());
        var layer = await BlobAsync(client, packed.ToArray());
        var architecture = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";
        var config = await BlobAsync(client, Encoding.UTF8.GetBytes($$$"""{"architecture":"{{{architecture}}}","os":"linux","config":{"Entrypoint":["/bin/sh","/serve"],"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["{{{DigestOf(tar.ToArray())}}}"]}}"""));
        var manifest = Encoding.UTF8.GetBytes($$$"""{"schemaVersion":2,"mediaType":"{{{Type}}}.manifest.v1+json","config":{"mediaType":"{{{Type}}}.config.v1+json","digest":"{{{config.Digest}}}","size":{{{config.Size}}}},"layers":[{"mediaType":"{{{Type}}}.layer.v1.tar+gzip","digest":"{{{layer.Digest}}}","size":{{{layer.Size}}}}]}""");
        using var content = new ByteArrayContent(manifest);
        content.Headers.ContentType = new($"{Type}.manifest.v1+json");
        using var answer = await client.PutAsync(new Uri("manifests/test", UriKind.Relative), content);
        answer.EnsureSuccessStatusCode();
        return $"{registry}/{Repository}@{DigestOf(manifest)}";
    }

    private static UstarTarEntry Entry(TarEntryType type, string name, int mode) => new(type, name) { Mode = (UnixFileMode)mode, ModificationTime = DateTimeOffset.UnixEpoch };

    private static async Task<(string Digest, int Size)> BlobAsync(HttpClient client, byte[] bytes)
    {
        var digest = DigestOf(bytes);
        using var begun = await client.PostAsync(new Uri("blobs/uploads/", UriKind.Relative), content: null);
        begun.EnsureSuccessStatusCode();
        var place = new UriBuilder(new Uri(client.BaseAddress!, begun.Headers.Location!));
        place.Query = $"{place.Query.TrimStart('?')}{(place.Query.Length > 1 ? "&" : "")}digest={Uri.EscapeDataString(digest)}";
        using var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new("application/octet-stream");
        using var put = await client.PutAsync(place.Uri, content);
        put.StatusCode.ShouldBe(HttpStatusCode.Created);
        return (digest, bytes.Length);
    }

    private static string DigestOf(byte[] bytes) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));
}
