using Xunit.v3;

namespace WmfCi.Scenarios;

/// <summary>Names the requirements that a scenario proves; a test holds the list against docs/requirements.md.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ProvesAttribute(params string[] ids) : Attribute, ITraitAttribute
{
    public IReadOnlyList<string> Ids { get; } = ids;

    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [.. Ids.Select(id => KeyValuePair.Create("requirement", id))];
}
