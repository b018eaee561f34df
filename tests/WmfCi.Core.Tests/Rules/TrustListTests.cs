using WmfCi.Core.Changes;
using WmfCi.Core.Policies;

namespace WmfCi.Core.Tests.Rules;

public sealed class TrustListTests
{
    private static readonly TrustList List = new() { Usernames = ["alice"], Emails = ["*@wikimedia.org", "b?b@example.org"], Ids = ["1000042"] };

    [Theory]
    [InlineData("1", "alice", "", true)]
    [InlineData("1", "Alice", "", false)]
    [InlineData("1", "", "X@Wikimedia.org", true)]
    [InlineData("1", "", "x@wikimedia.org.evil.example", false)]
    [InlineData("1", "", "bob@example.org", false)]
    [InlineData("1", "", "b?b@example.org", true)]
    [InlineData("1000042", "", "", true)]
    [InlineData("", "", "", false)]
    public void People_are_trusted_by_login_name_address_or_group(string id, string username, string email, bool trusted) =>
        List.Has(new Account(id, username, "", email)).ShouldBe(trusted);
}
