using Npgsql;
using WmfCi.Config.Sites;

namespace WmfCi.Service.Tests.Shell;

public sealed class SiteOptionsTests
{
    [Fact]
    public void A_database_is_not_asked_for_by_Kerberos_which_waits_for_names_that_nobody_knows() =>
        Read("Host=192.0.2.1;Username=wmfci").GssEncryptionMode.ShouldBe(GssEncryptionMode.Disable);

    [Fact]
    public void A_site_that_wants_Kerberos_has_it() =>
        Read("Host=192.0.2.1;Username=wmfci;GSS Encryption Mode=Require").GssEncryptionMode.ShouldBe(GssEncryptionMode.Require);

    private static NpgsqlConnectionStringBuilder Read(string connection) => new(new Site
    {
        Url = new Uri("http://127.0.0.1/"),
        Listen = new Uri("http://127.0.0.1/"),
        State = "/nowhere",
        Database = new DatabaseSettings(connection, File: null),
        Gerrit = new GerritSettings { Url = new Uri("http://127.0.0.1/"), User = "wmfci", PasswordFile = "/nowhere" },
    }.ConnectionString());
}
