using System.Runtime.CompilerServices;
using k8s;
using k8s.Models;
using WmfCi.Kubernetes.SelfTest;

namespace WmfCi.Kubernetes.Tests.SelfTest;

/// <summary>One table says which rights the runner needs, everywhere.</summary>
public sealed class RightsTests
{
    [Fact]
    public void The_documentation_lists_the_rights_as_the_program_knows_them() =>
        File.ReadAllText(Path.Combine(Root(), "docs", "selftest.md")).ShouldContain(Rights.Markdown());

    [Fact]
    public void The_printed_Role_has_the_rights_and_binds_the_account()
    {
        var objects = KubernetesYaml.LoadAllFromString(Rights.RoleYaml("stages", ("wmfci", "runner")));

        var role = objects[0].ShouldBeOfType<V1Role>();
        role.Namespace().ShouldBe("stages");
        role.Rules.Select(rule => (rule.ApiGroups.Single(), rule.Resources.Single(), string.Join(' ', rule.Verbs)))
            .ShouldBe(Rights.Needed.Concat(Rights.Useful).Select(right => (right.Group, right.Resource, string.Join(' ', right.Verbs))));
        var binding = objects[1].ShouldBeOfType<V1RoleBinding>();
        binding.RoleRef.Name.ShouldBe(role.Name());
        binding.Subjects.Single().NamespaceProperty.ShouldBe("wmfci");
        binding.Subjects.Single().Name.ShouldBe("runner");
    }

    [Fact]
    public void Nothing_is_given_that_the_self_test_warns_of() =>
        Rights.Needed.Concat(Rights.Useful).SelectMany(right => right.Verbs.Select(verb => $"{verb} {right.Name}"))
            .ShouldNotContain(given => Rights.Unwanted.Any(excess => excess.Namespace == Excess.Own && given == $"{excess.Right.Verbs[0]} {excess.Right.Name}"));

    private static string Root([CallerFilePath] string here = "")
    {
        for (var folder = Path.GetDirectoryName(here); folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "WmfCi.sln"))) return folder;
        throw new InvalidOperationException($"No WmfCi.sln above {here}: run the tests from the checkout that they were built in.");
    }
}
