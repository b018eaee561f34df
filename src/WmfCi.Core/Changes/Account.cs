namespace WmfCi.Core.Changes;

/// <summary>A person or a bot as the code review names it.</summary>
/// <param name="Id">The identity that rights are checked by; in Gerrit the account number. Never a display name or an address, which others may share.</param>
/// <param name="Username">The login name, or empty where it has none.</param>
/// <param name="Name">The display name: for text only.</param>
/// <param name="Email">The preferred address, or empty.</param>
public sealed record Account(string Id, string Username, string Name, string Email)
{
    /// <summary>How the bot addresses the account: its login name where there is one.</summary>
    public string Address => Username.Length > 0 ? Username : Name.Length > 0 ? Name : Email;
}
