# Stands for the console in which an administrator runs scripts: takes their files by name, a line each, and says how each
# ended. The commands of PowerShell itself that a script calls lead to the simulated host, as those of Hyper-V do.
foreach ($module in Get-Module -Name 'Host.*') {
    foreach ($name in $module.ExportedCommands.Keys) {
        if ($name -eq 'Get-ItemProperty') { continue } # with this the console itself asks who the host is
        Invoke-Expression "`${alias:$name} = '$($module.Name)\$name'" # aliases win over functions
    }
}
function global:Import-Module { param($Name, $MinimumVersion) if (-not (Get-Module -Name $Name)) { throw "no module $Name" } }
$global:answers = @()
function global:Read-Host {
    param($Prompt, [switch]$AsSecureString)
    $answer, $global:answers = $global:answers
    if ($null -eq $answer) { throw "nobody answers: $Prompt" }
    if (-not $AsSecureString) { return $answer }
    $secure = [Security.SecureString]::new()
    foreach ($c in $answer.ToCharArray()) { $secure.AppendChar($c) }
    $secure
}
foreach ($line in $input) {
    $null = Get-ItemProperty
    $env:ProgramData = 'C:\ProgramData'
    $file, $global:answers = $line -split '\|'
    try {
        & $file | Out-Null
        '@done'
    } catch { "@failed $($_ -replace '\s+', ' ')" }
}
