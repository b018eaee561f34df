using WmfCi.Core.Changes;

namespace WmfCi.Core.Tests.Bench;

/// <summary>Who appears in the stories.</summary>
internal static class People
{
    public static readonly Account Alice = new("1", "alice", "Alice", "alice@example.org");
    public static readonly Account Bob = new("2", "bob", "Bob", "bob@example.org");
    public static readonly Account Carol = new("3", "carol", "Carol", "carol@trusted.example");
    public static readonly Account Stranger = new("9", "newcomer", "New Comer", "new@elsewhere.example");
    public static readonly Account Self = new("100", "wmfci", "WmfCi", "ci@example.org");
}
