using System.Reflection;
using k8s.Models;

namespace WmfCi.Kubernetes;

/// <summary>Where the API server has the objects of a kind.</summary>
/// <param name="Name">For example <c>Pod</c>.</param>
/// <param name="ApiVersion">The group and the version, for example <c>batch/v1</c>.</param>
/// <param name="Plural">For example <c>pods</c>.</param>
internal sealed record ObjectKind(string Name, string ApiVersion, string Plural)
{
    /// <summary>The path of all of them in a namespace.</summary>
    public string Path(string space) =>
        $"/{(ApiVersion.Contains('/', StringComparison.Ordinal) ? "apis" : "api")}/{ApiVersion}/namespaces/{Uri.EscapeDataString(space)}/{Plural}";
}

/// <summary>The kind of one of the library's types.</summary>
internal static class KindOf<T>
{
    /// <summary>The kind.</summary>
    public static ObjectKind Value { get; } = typeof(T).GetCustomAttribute<KubernetesEntityAttribute>() is { } entity
        ? new ObjectKind(entity.Kind, entity.Group is { Length: > 0 } group ? $"{group}/{entity.ApiVersion}" : entity.ApiVersion, entity.PluralName)
        : throw new InvalidOperationException($"{typeof(T)} is no kind of object that Kubernetes has.");
}
