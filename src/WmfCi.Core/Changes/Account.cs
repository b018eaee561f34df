using System.Text.Json.Serialization;

namespace WmfCi.Core.Changes;

/// <summary>A person or a bot as the code review names it.</summary>
/// <param name="Id">The identity that rights are checked by; in Gerrit the account number. Never a display name or an address, which others may share.</param>
/// <param name="Username">The login name, or empty where it has none.</param>
/// <param name="Name">The display name: for text only.</param>
/// <param name="Email">The preferred address, or empty.</param>
public sealed record Account(string Id, string Username, string Name, string Email)
{
    /// <summary>How many characters of a name are shown.</summary>
    public const int MaxAddressLength = 100;

    /// <summary>How the bot addresses the account: its login name where there is one. One line, fit to be shown.</summary>
    [JsonIgnore]
    public string Address => PlainText.Line(Username.Length > 0 ? Username : Name.Length > 0 ? Name : Email.Length > 0 ? Email : $"account {Id}", MaxAddressLength);
}
