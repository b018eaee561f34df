using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using WmfCi.Pod.Exchanges;
using WmfCi.Pod.Tests.Exchanges;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Tests;

public sealed class AccessTests : IDisposable
{
    private readonly PodFolder _pod = new();

    public void Dispose() => _pod.Dispose();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("exchange/attempts/7/")]
    [InlineData("https://exchange/attempts/7")]
    [InlineData("ftp://exchange/attempts/7/")]
    [InlineData("file:///attempts/7/")]
    [InlineData("https://user:password@exchange/attempts/7/")]
    public void The_address_must_be_a_web_address_that_ends_with_a_slash(string? address) => Refused(address, TestExchange.Pod, TestExchange.Token).ShouldContain("WMFCI_EXCHANGE");

    [Theory]
    [InlineData("")]
    [InlineData("a\nb")]
    [InlineData("a b")]
    public void The_pod_must_have_a_UID(string pod) => Refused("http://exchange/", pod, TestExchange.Token).ShouldContain("WMFCI_POD");

    [Theory]
    [InlineData("")]
    [InlineData("a secret\nwith lines")]
    [InlineData("secret\u00e4")]
    public void A_token_that_is_none_is_not_shown(string token)
    {
        var message = Refused("http://exchange/", TestExchange.Pod, token);
        message.ShouldContain("token");
        message.ShouldNotContain("secret");
    }

    [Fact]
    public void HTTPS_needs_the_certificate_of_the_authority() => Refused("https://exchange/", TestExchange.Pod, TestExchange.Token).ShouldContain("ca.crt");

    [Fact]
    public void An_authority_that_is_no_certificate_is_named()
    {
        _pod.GiveAuthority("no certificate");
        Refused("https://exchange/", TestExchange.Pod, TestExchange.Token).ShouldContain("ca.crt");
    }

    [Fact]
    public async Task The_given_authority_is_believed()
    {
        using var authority = Authority();
        using var certificate = Issue(authority);
        await using var exchange = await TestExchange.StartAsync(certificate);
        _pod.GiveAuthority(authority.ExportCertificatePem());
        exchange.CollectOrder = new CollectOrder { Steps = 0, LogBytes = 0 };
        (await _pod.CollectAsync(exchange)).Files.ShouldBeEmpty();
    }

    [Fact]
    public async Task Another_authority_is_not_believed_and_not_asked_again()
    {
        using var authority = Authority();
        using var other = Authority();
        using var certificate = Issue(authority);
        await using var exchange = await TestExchange.StartAsync(certificate);
        _pod.GiveAuthority(other.ExportCertificatePem());
        exchange.CollectOrder = new CollectOrder { Steps = 0, LogBytes = 0 };
        await _pod.CollectAsync(exchange).ShouldThrowAsync<ContainerFailedException>();
        exchange.Requests.ShouldBeEmpty();
    }

    [Fact]
    public void Failures_fit_into_a_termination_message()
    {
        var failure = TrustedContainer.FailureOf(new IOException(new string('\u0001', 10_000) + new string('\u4e2d', 10_000)));
        JsonSerializer.SerializeToUtf8Bytes(failure, WireJson.Default.ContainerFailure).Length.ShouldBeLessThan(4096);
        JsonSerializer.SerializeToUtf8Bytes(new ContainerFailure(TerminationLog.Shorten(new string('\u4e2d', 10_000))), WireJson.Default.ContainerFailure).Length.ShouldBeLessThan(4096);
    }

    [Theory]
    [InlineData(1000, 2000, "root:x:0:0:root:/root:/bin/sh\nci:x:1000:2000:ci:/home/ci:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n")]
    [InlineData(65534, 65534, "root:x:0:0:root:/root:/bin/sh\nci:x:65534:65534:ci:/home/ci:/bin/sh\n")]
    [InlineData(0, 0, "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n")]
    public void Every_account_has_one_name(uint user, uint group, string passwd) => Accounts.Passwd(user, group).ShouldBe(passwd);

    private string Refused(string? address, string pod, string token)
    {
        _pod.GiveToken(token);
        var variables = new Dictionary<string, string?> { [PodPaths.ExchangeVariable] = address, [PodPaths.PodVariable] = pod };
        return Should.Throw<ContainerFailedException>(() => ExchangeAccess.Read(_pod.Place, variables.GetValueOrDefault)).Message;
    }

    private static X509Certificate2 Authority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=authority {Guid.NewGuid():N}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
    }

    private static X509Certificate2 Issue(X509Certificate2 authority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=exchange", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(authority, DateTimeOffset.UtcNow.AddMinutes(-30), DateTimeOffset.UtcNow.AddMinutes(30), Guid.NewGuid().ToByteArray());
        return issued.CopyWithPrivateKey(key);
    }
}
