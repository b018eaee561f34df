using System.Security.Cryptography;
using System.Text;

namespace WmfCi.Gerrit.StandIn.Model;

internal sealed record Account(int Id, string UserName, string Group, string Password)
{
    public string FullName { get; } = UserName == "admin" ? "Administrator" : char.ToUpperInvariant(UserName[0]) + UserName[1..];
    public string Email { get; } = UserName == "admin" ? "admin@example.com" : UserName + "@example.org";
    public bool IsAdministrator => Group == StandInUser.Administrators;
    public bool IsService => Group == StandInUser.ServiceUsers;
    public bool IsDeveloper => Group == StandInUser.Developers;
    public string NameAndEmail => $"{FullName} <{Email}>";
}

/// <summary>The people, fixed for the life of a server.</summary>
internal sealed class Accounts
{
    private const int FirstId = 1_000_000;
    private readonly List<Account> all = [];

    public Accounts(IEnumerable<StandInUser> users)
    {
        foreach (var user in users)
        {
            if (user.Name.Length == 0 || !user.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-') || user.Name[0] is '.' or '-')
                throw new ArgumentException($"'{user.Name}' cannot be a user name: use letters, digits, '.', '_' and '-', and begin with a letter or a digit.");
            if (Named(user.Name) is not null) throw new ArgumentException($"The user '{user.Name}' is named twice.");
            all.Add(new Account(FirstId + all.Count, user.Name, user.Group, user.Password));
        }
    }

    public IReadOnlyList<Account> All => all;

    public Account this[int id] => all[id - FirstId];

    public Account? Named(string name) => all.Find(a => a.UserName == name);

    public Account? WithEmail(string email) => all.Find(a => string.Equals(a.Email, email, StringComparison.OrdinalIgnoreCase));

    /// <summary>An account by what people write: a number, a user name, an address, a full name.</summary>
    public Account? Find(string text) =>
        int.TryParse(text, out var id) ? all.Find(a => a.Id == id) : Named(text) ?? WithEmail(text) ?? all.Find(a => a.FullName == text || a.NameAndEmail == text);

    public Account? Authenticate(string name, string password)
    {
        var account = Named(name);
        return account is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(account.Password), Encoding.UTF8.GetBytes(password))
            ? account
            : null;
    }
}
